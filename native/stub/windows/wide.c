#include "wide.h"

#include <string.h>
#include <windows.h>

// Directories may have 12 characters less than files, so that an 8.3 name still fits below them.
enum { SHORT_PATH = 248 };

bool wide_text(const char * text, wchar_t * wide, size_t size) {
    return MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, (int) size) > 0;
}

bool utf8_text(const wchar_t * wide, char * text, size_t size) {
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int) size, NULL, NULL) > 0;
}

bool wide_path(const char * path, wchar_t wide[WIDE_SIZE]) {
    wchar_t text[WIDE_SIZE];
    if (!wide_text(path, text, PATH_SIZE)) {
        return false;
    }
    for (wchar_t * c = text; *c; c++) {
        if (*c == L'/') {
            *c = L'\\';
        }
    }
    if (wcslen(text) < SHORT_PATH || wcsncmp(text, L"\\\\?\\", 4) == 0 || wcsncmp(text, L"\\\\.\\", 4) == 0) {
        wcscpy(wide, text);
        return true;
    }
    // The long form is taken literally: it must be absolute and without `..`.
    bool    share  = text[0] == L'\\' && text[1] == L'\\';
    size_t  prefix = share ? 7 : 4;
    DWORD   length = GetFullPathNameW(text, WIDE_SIZE - 8, wide + 8, NULL);
    if (length == 0 || length >= WIDE_SIZE - 8) {
        return false;
    }
    memmove(wide + prefix, wide + 8 + (share ? 1 : 0), (length + 1) * sizeof(wchar_t));
    memcpy(wide, share ? L"\\\\?\\UNC" : L"\\\\?\\", prefix * sizeof(wchar_t));
    return true;
}
