// Stands in for the engine: says what it was given. Exits with status 7, or fails its probe when
// built with -DREFUSES, or in the way that STAND_IN_PROBE names.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char ** argv) {
    const char * bundle = getenv("LLAMAPACK_BUNDLE");
    if (getenv("LLAMAPACK_PROBE")) {
        const char * way = getenv("STAND_IN_PROBE");
        if (way && strcmp(way, "killed") == 0) {
            raise(SIGKILL);
        } else if (way && strcmp(way, "hangs") == 0) {
            pause();
        } else if (way) {
            return 1;
        }
#ifdef REFUSES
        return 1;
#else
        return 0;
#endif
    }
    printf("engine %s\nbundle %s\n", NAME, bundle ? bundle : "-");
    for (int i = 0; i < argc; i++) {
        printf("argument %s\n", argv[i]);
    }
    return 7;
}
