# A CMake toolchain in which zig is compiler, linker and archiver for one target.
#
# LLAMAPACK_ZIG         the zig program
# LLAMAPACK_ZIG_TARGET  a zig triple, such as x86_64-linux-gnu.2.17

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LLAMAPACK_ZIG LLAMAPACK_ZIG_TARGET)

if (LLAMAPACK_ZIG_TARGET MATCHES "-linux-")
    set(CMAKE_SYSTEM_NAME Linux)
elseif (LLAMAPACK_ZIG_TARGET MATCHES "-macos")
    set(CMAKE_SYSTEM_NAME Darwin)
elseif (LLAMAPACK_ZIG_TARGET MATCHES "-windows")
    set(CMAKE_SYSTEM_NAME Windows)
elseif (LLAMAPACK_ZIG_TARGET MATCHES "-freebsd")
    set(CMAKE_SYSTEM_NAME FreeBSD)
elseif (LLAMAPACK_ZIG_TARGET MATCHES "-openbsd")
    set(CMAKE_SYSTEM_NAME OpenBSD)
elseif (LLAMAPACK_ZIG_TARGET MATCHES "-netbsd")
    set(CMAKE_SYSTEM_NAME NetBSD)
else()
    message(FATAL_ERROR "LLAMAPACK_ZIG_TARGET=${LLAMAPACK_ZIG_TARGET} names no system known here")
endif()

string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${LLAMAPACK_ZIG_TARGET}")

set(CMAKE_C_COMPILER   "${LLAMAPACK_ZIG};cc;-target;${LLAMAPACK_ZIG_TARGET}")
set(CMAKE_CXX_COMPILER "${LLAMAPACK_ZIG};c++;-target;${LLAMAPACK_ZIG_TARGET}")

# CMake takes no arguments with these two, so each gets a small program of its own.
set(LLAMAPACK_TOOLS "${CMAKE_BINARY_DIR}/zig-tools")
foreach (tool ar ranlib)
    if (NOT EXISTS "${LLAMAPACK_TOOLS}/${tool}")
        file(WRITE "${LLAMAPACK_TOOLS}/${tool}" "#!/bin/sh\nexec '${LLAMAPACK_ZIG}' ${tool} \"$@\"\n")
        file(CHMOD "${LLAMAPACK_TOOLS}/${tool}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
    endif()
endforeach()
if (NOT EXISTS "${LLAMAPACK_TOOLS}/host-c++")
    file(WRITE "${LLAMAPACK_TOOLS}/host-c++" "#!/bin/sh\nexec '${LLAMAPACK_ZIG}' c++ \"$@\"\n")
    file(CHMOD "${LLAMAPACK_TOOLS}/host-c++" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endif()
# Never run: libraries are linked with their final names. But CMake wants one for macOS.
set(CMAKE_INSTALL_NAME_TOOL "${LLAMAPACK_TOOLS}/host-c++" CACHE FILEPATH "" FORCE)
set(CMAKE_AR     "${LLAMAPACK_TOOLS}/ar"     CACHE FILEPATH "" FORCE)
set(CMAKE_RANLIB "${LLAMAPACK_TOOLS}/ranlib" CACHE FILEPATH "" FORCE)

# Upstream's tools/ui compiles its embedder for the machine that builds.
set(HOST_CXX_COMPILER "${LLAMAPACK_TOOLS}/host-c++" CACHE FILEPATH "" FORCE)

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
