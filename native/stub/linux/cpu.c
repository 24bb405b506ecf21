// The static engine cannot choose between modules, so it asks more of the CPU than the other one.
#include "../stub.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

const char * missing_cpu_feature(void) {
#ifdef __x86_64__
    unsigned a, b, c, d, b7 = 0, low = 0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return "AVX2";
    }
    __get_cpuid_count(7, 0, &a, &b7, &a, &d);
    if (c & bit_OSXSAVE) {
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    }
    // XCR0 bits 1 and 2: the system saves the wide registers.
    return (low & 6) != 6 || !(b7 & bit_AVX2) ? "AVX2"
           : !(c & bit_FMA)                   ? "FMA"
           : !(c & bit_F16C)                  ? "F16C"
           : !(b7 & bit_BMI2)                 ? "BMI2"
                                              : NULL;
#else
    return NULL;
#endif
}
