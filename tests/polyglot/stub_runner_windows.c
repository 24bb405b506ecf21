// Starts a program with a command line that no other program has quoted anew.
//   runner FILE              FILE holds program and command line, two lines of UTF-8; says its status
//   runner FILE STARTED      kills the program once STARTED holds a process id; says whether that
//                            process has gone too
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

static wchar_t lines[2][40000];

static int read_lines(const char * path) {
    static char text[100000];
    FILE *      file = fopen(path, "rb");
    size_t      size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    char *      end  = memchr(text, '\n', size);
    if (!end) {
        return -1;
    }
    *end = 0;
    MultiByteToWideChar(CP_UTF8, 0, text, -1, lines[0], 40000);
    MultiByteToWideChar(CP_UTF8, 0, end + 1, -1, lines[1], 40000);
    return 0;
}

static int kill_when_started(HANDLE program, const char * started) {
    for (int i = 0; i < 600; i++) {
        unsigned long id   = 0;
        FILE *        file = fopen(started, "r");
        if (file && fscanf(file, "%lu", &id) == 1 && id) {
            HANDLE other = OpenProcess(SYNCHRONIZE, FALSE, id);
            TerminateProcess(program, 9);
            printf("%s\n", !other || WaitForSingleObject(other, 20000) == WAIT_OBJECT_0 ? "gone" : "left");
            return 0;
        }
        if (file) {
            fclose(file);
        }
        Sleep(100);
    }
    return 1;
}

int main(int argc, char ** argv) {
    STARTUPINFOW        start = {.cb = sizeof(start)};
    PROCESS_INFORMATION process;
    DWORD               status;
    if (argc < 2 || read_lines(argv[1]) != 0 ||
        !CreateProcessW(lines[0], lines[1], NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) {
        return 1;
    }
    if (argc > 2) {
        return kill_when_started(process.hProcess, argv[2]);
    }
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &status);
    printf("status 0x%lX\n", status);
    return 0;
}
