// Tries native/engine/hooks/cpu_score.c on a made-up machine: argv[1] is what upstream's score says of
// the processor, argv[2] how the system answers who asks for the tiles of AMX (grant, refuse, absent).

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#    define WIN32_LEAN_AND_MEAN
#    include <windows.h>
static FARPROC address_of(HMODULE library, const char * name);
#    define GetProcAddress address_of
#else
#    include <sys/syscall.h>
#    include <unistd.h>
long answer(long number, long request, long feature);
#    define syscall answer
#endif

static const char * system_answers;
static int          processor_score;

#include "cpu_score.c"

int ggml_backend_score_of_cpuid(void) {
    return processor_score;
}

#ifdef _WIN32
static BOOL WINAPI enable(DWORD64 features) {
    return features == 0x40000 && strcmp(system_answers, "grant") == 0;
}

static FARPROC address_of(HMODULE library, const char * name) {
#    undef GetProcAddress
    if (strcmp(system_answers, "real") == 0) {
        return GetProcAddress(library, name);
    }
    const bool known = library != NULL && strcmp(name, "EnableProcessOptionalXStateFeatures") == 0;
    return known && strcmp(system_answers, "absent") != 0 ? (FARPROC) (void *) enable : NULL;
}
#else
long answer(long number, long request, long feature) {
    const bool is_right = number == SYS_arch_prctl && request == 0x1023 && feature == 18;
    return is_right && strcmp(system_answers, "grant") == 0 ? 0 : -1;
}
#endif

int main(int argc, char ** argv) {
    if (argc != 3) {
        return 2;
    }
    processor_score = atoi(argv[1]);
    system_answers  = argv[2];
    printf("%d %s\n", ggml_backend_score(), cpu_trouble());
    return 0;
}
