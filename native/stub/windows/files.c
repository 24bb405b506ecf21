// Files and directories.
#include "wide.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum {
    // Antivirus software holds new files open for a while: a rename waits up to ten seconds for it.
    RENAME_TRIES = 100,
    RENAME_PAUSE = 100, // milliseconds
};

const char * os_reason(int error) {
    static char text[512];
    wchar_t     wide[256];
    DWORD       length = FormatMessageW(
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD) error, 0, wide, 256, NULL);
    while (length > 0 && wcschr(L"\r\n. ", wide[length - 1])) {
        wide[--length] = 0;
    }
    return length > 0 && utf8_text(wide, text, sizeof(text)) ? text : "Windows gives no reason";
}

static int last_error(void) {
    return (int) GetLastError();
}

// Seconds since 1970; a FILETIME counts 100 ns since 1601.
static int64_t seconds(FILETIME time) {
    return (int64_t) (((uint64_t) time.dwHighDateTime << 32 | time.dwLowDateTime) / 10000000) - 11644473600;
}

int os_look(const char * path, bool follow_link, struct os_info * info) {
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t                   wide[WIDE_SIZE];
    (void) follow_link; // nothing here follows one
    if (!wide_path(path, wide)) {
        return ERROR_FILENAME_EXCED_RANGE;
    }
    if (!GetFileAttributesExW(wide, GetFileExInfoStandard, &data)) {
        return last_error();
    }
    bool link       = data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT;
    info->directory = !link && (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY);
    info->file      = !link && !info->directory;
    info->mine = info->safe = info->program = true;
    info->size      = (uint64_t) data.nFileSizeHigh << 32 | data.nFileSizeLow;
    info->modified  = seconds(data.ftLastWriteTime);
    // Windows has a time that nobody sets back too, but tells it of open files only.
    info->changed   = (uint64_t) data.ftLastWriteTime.dwHighDateTime << 32 | data.ftLastWriteTime.dwLowDateTime;
    return 0;
}

static int open_file(os_file * file, const char * path, DWORD access, DWORD share, DWORD how, DWORD flags) {
    wchar_t wide[WIDE_SIZE];
    if (!wide_path(path, wide)) {
        return ERROR_FILENAME_EXCED_RANGE;
    }
    HANDLE handle = CreateFileW(wide, access, share, NULL, how, flags, NULL);
    *file         = (os_file) handle;
    return handle == INVALID_HANDLE_VALUE ? last_error() : 0;
}

int os_open(os_file * file, const char * path) {
    return open_file(
        file, path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING,
        FILE_ATTRIBUTE_NORMAL);
}

int64_t os_read_at(void * file, void * buf, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        OVERLAPPED at   = {.Offset = (DWORD) (offset + done), .OffsetHigh = (DWORD) ((offset + done) >> 32)};
        DWORD      wish = size - done < 1 << 30 ? (DWORD) (size - done) : 1 << 30;
        DWORD      n    = 0;
        if (!ReadFile((HANDLE) *(os_file *) file, (char *) buf + done, wish, &n, &at)) {
            return GetLastError() == ERROR_HANDLE_EOF ? (int64_t) done : -1;
        }
        if (n == 0) {
            break;
        }
        done += n;
    }
    return (int64_t) done;
}

int os_size(os_file file, uint64_t * size) {
    LARGE_INTEGER length;
    if (GetFileType((HANDLE) file) != FILE_TYPE_DISK) {
        return ERROR_BAD_FILE_TYPE;
    }
    if (!GetFileSizeEx((HANDLE) file, &length)) {
        return last_error();
    }
    *size = (uint64_t) length.QuadPart;
    return 0;
}

int os_create(os_file * file, const char * path, bool program) {
    (void) program;
    return open_file(
        file, path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, CREATE_NEW, FILE_ATTRIBUTE_NORMAL);
}

int os_write(os_file file, const void * data, size_t size) {
    while (size > 0) {
        DWORD n = 0;
        if (!WriteFile((HANDLE) file, data, size < 1 << 30 ? (DWORD) size : 1 << 30, &n, NULL)) {
            return last_error();
        }
        data = (const char *) data + n;
        size -= n;
    }
    return 0;
}

int os_close(os_file file, bool keep) {
    int error = keep && !FlushFileBuffers((HANDLE) file) ? last_error() : 0;
    return !CloseHandle((HANDLE) file) && !error ? last_error() : error;
}

int os_make_dir(const char * path) {
    wchar_t wide[WIDE_SIZE];
    if (!wide_path(path, wide)) {
        return ERROR_FILENAME_EXCED_RANGE;
    }
    return CreateDirectoryW(wide, NULL) || GetLastError() == ERROR_ALREADY_EXISTS ? 0 : last_error();
}

int os_make_temporary_dir(char * path) {
    char *        end = path + strlen(path) - 6;
    LARGE_INTEGER clock;
    QueryPerformanceCounter(&clock);
    uint64_t seed = (uint64_t) clock.QuadPart ^ (uint64_t) GetCurrentProcessId() << 32;
    for (int i = 0; i < 1000; i++) {
        wchar_t wide[WIDE_SIZE];
        // Names only have to differ: the directory above belongs to this user alone.
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        for (int j = 0; j < 6; j++) {
            end[j] = "0123456789abcdefghijklmnopqrstuv"[seed >> (30 + 5 * j) & 31];
        }
        if (!wide_path(path, wide)) {
            return ERROR_FILENAME_EXCED_RANGE;
        }
        if (CreateDirectoryW(wide, NULL)) {
            return 0;
        }
        if (GetLastError() != ERROR_ALREADY_EXISTS) {
            return last_error();
        }
    }
    return ERROR_ALREADY_EXISTS;
}

int os_sync_dir(const char * path) {
    (void) path; // NTFS keeps its directories in a journal
    return 0;
}

int os_rename_dir(const char * from, const char * to) {
    wchar_t source[WIDE_SIZE], destination[WIDE_SIZE];
    int     error = ERROR_FILENAME_EXCED_RANGE;
    if (!wide_path(from, source) || !wide_path(to, destination)) {
        return error;
    }
    for (int i = 0; i < RENAME_TRIES; i++) {
        if (MoveFileExW(source, destination, 0)) {
            return 0;
        }
        error = last_error();
        if (GetFileAttributesW(destination) != INVALID_FILE_ATTRIBUTES) {
            return OS_EXISTS;
        }
        if (error != ERROR_ACCESS_DENIED && error != ERROR_SHARING_VIOLATION) {
            break;
        }
        Sleep(RENAME_PAUSE);
    }
    return error;
}

void os_remove_file(const char * path) {
    wchar_t wide[WIDE_SIZE];
    if (wide_path(path, wide) && !DeleteFileW(wide)) {
        RemoveDirectoryW(wide);
    }
}

void os_list(const char * path, void (*visit)(const char * path, const char * name)) {
    WIN32_FIND_DATAW entry;
    wchar_t          wide[WIDE_SIZE];
    char             name[4 * MAX_PATH];
    if (!wide_path(path, wide) || wcslen(wide) + 3 > WIDE_SIZE) {
        return;
    }
    wcscat(wide, L"\\*");
    HANDLE list = FindFirstFileW(wide, &entry);
    if (list == INVALID_HANDLE_VALUE) {
        return;
    }
    do {
        if (utf8_text(entry.cFileName, name, sizeof(name))) {
            visit(path, name);
        }
    } while (FindNextFileW(list, &entry));
    FindClose(list);
}

int os_absolute(const char * path, char absolute[PATH_SIZE]) {
    wchar_t wide[WIDE_SIZE], full[WIDE_SIZE];
    if (!wide_text(path, wide, WIDE_SIZE)) {
        return ERROR_FILENAME_EXCED_RANGE;
    }
    DWORD length = GetFullPathNameW(wide, WIDE_SIZE, full, NULL);
    if (length == 0) {
        return last_error();
    }
    return length < WIDE_SIZE && utf8_text(full, absolute, PATH_SIZE) ? 0 : ERROR_FILENAME_EXCED_RANGE;
}

int64_t os_now(void) {
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    return seconds(now);
}
