// BoringSSL takes random numbers from a library of Windows that Wine 8 lacks, and ends the process without
// it. These are its functions, in our program in place of the library's.
#ifdef _WIN32

#include <windows.h>
// after windows.h
#include <ntsecapi.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace bssl {

void CRYPTO_init_sysrand();
void CRYPTO_sysrand(uint8_t * bytes, size_t size);

void CRYPTO_init_sysrand() {}

void CRYPTO_sysrand(uint8_t * bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        const ULONG part = (ULONG) std::min<size_t>(size - done, 1u << 30);
        if (!RtlGenRandom(bytes + done, part)) {
            abort();
        }
        done += part;
    }
}

} // namespace bssl

#endif
