// Runs a harness under libFuzzer. An input that costs more than two seconds of CPU time is a finding:
// libFuzzer's own limit counts the time of a clock, which runs on while other processes work.
#include "input.h"

#include <stdio.h>
#include <time.h>

int LLVMFuzzerRunDriver(int * argc, char *** argv, int (*take)(const uint8_t *, size_t));

static int take(const uint8_t * data, size_t size) {
    clock_t start = clock();
    LLVMFuzzerTestOneInput(data, size);
    if (clock() - start > 2 * CLOCKS_PER_SEC) {
        fprintf(stderr, "ERROR: an input took more than 2 seconds\n");
        abort();
    }
    return 0;
}

int main(int argc, char ** argv) {
    return LLVMFuzzerRunDriver(&argc, &argv, take);
}
