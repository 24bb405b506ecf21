// Included by the compiler in front of upstream's arg.cpp. On Windows upstream reads the process's
// own command line again where it has as many words as the one it was given; ours is another one.
#pragma once

#ifdef _WIN32
#    ifndef WIN32_LEAN_AND_MEAN
#        define WIN32_LEAN_AND_MEAN
#    endif
#    ifndef NOMINMAX
#        define NOMINMAX
#    endif
#    include <windows.h>
#    include <shellapi.h>
#    define CommandLineToArgvW(line, count) ((LPWSTR *) nullptr)
#endif
