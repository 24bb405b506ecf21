// Stands in for nvcc.exe under Wine: hands the compilation to the machine's own zig, for Windows.
// Wine starts programs of the system below, but waits for none of them: so each of them leaves its
// status in a file.
//
// LLAMAPACK_TEST_COMPILER names a shell script that takes nvcc's words.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static char *(*CDECL unix_file_name)(LPCWSTR);

// The system's own name of a file that is named with its drive; other words stay.
static const char *unix_name(const char *word) {
    wchar_t wide[MAX_PATH];
    if (word[0] == 0 || word[1] != ':') {
        return word;
    }
    MultiByteToWideChar(CP_ACP, 0, word, -1, wide, MAX_PATH);
    return unix_file_name(wide);
}

static int wait_for(const char *path) {
    for (int i = 0; i < 3000; i++) {
        FILE *file = fopen(path, "r");
        int status = 0;
        if (file && fscanf(file, "%d done", &status) == 1) {
            fclose(file);
            return status;
        }
        if (file) {
            fclose(file);
        }
        Sleep(100);
    }
    return 124;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("nvcc for tests, release 1.0");
        return 0;
    }
    unix_file_name = (void *) GetProcAddress(GetModuleHandleA("kernel32"), "wine_get_unix_file_name");
    char folder[MAX_PATH], listing[MAX_PATH], status[MAX_PATH], log[MAX_PATH], line[8192];
    GetTempPathA(sizeof(folder), folder);
    snprintf(listing, sizeof(listing), "%snvcc-%lu.words", folder, GetCurrentProcessId());
    snprintf(status, sizeof(status), "%snvcc-%lu.status", folder, GetCurrentProcessId());
    snprintf(log, sizeof(log), "%snvcc-%lu.log", folder, GetCurrentProcessId());
    remove(status);
    FILE *file = fopen(listing, "wb");
    for (int i = 1; i < argc; i++) {
        fprintf(file, "%s\n", unix_name(argv[i]));
    }
    fclose(file);

    const char *files[] = {listing, status, log};
    snprintf(line, sizeof(line), "%s", getenv("LLAMAPACK_TEST_COMPILER"));
    for (int i = 0; i < 3; i++) {
        strcat(strcat(strcat(line, " \""), unix_name(files[i])), "\"");
    }
    STARTUPINFOA info = {sizeof(info)};
    PROCESS_INFORMATION process;
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &info, &process)) {
        printf("error: %s: cannot be started (%lu)\n", line, GetLastError());
        return 1;
    }
    int result = wait_for(status);
    file = fopen(log, "r");
    while (file && fgets(line, sizeof(line), file)) {
        fputs(line, stdout);
    }
    return result;
}
