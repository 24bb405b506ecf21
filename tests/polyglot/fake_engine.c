// Stands in for the engine: says what it was given. Exits with status 7, or fails its probe when
// built with -DREFUSES.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char ** argv) {
    const char * bundle = getenv("LLAMAPACK_BUNDLE");
    if (getenv("LLAMAPACK_PROBE")) {
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
