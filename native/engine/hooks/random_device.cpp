// libc++'s std::random_device reads /dev/urandom, which an empty container lacks, and throws. These
// are its members, in our program in place of the library's: the kernel is asked directly.
#ifdef __linux__

#include <random>
#include <system_error>

#include <cerrno>
#include <cstdio>
#include <sys/syscall.h>
#include <unistd.h>

// For Linux before 3.17.
static unsigned from_file() {
    unsigned value = 0;
    FILE *   file  = fopen("/dev/urandom", "rb");
    if (!file || fread(&value, sizeof(value), 1, file) != 1) {
        throw std::system_error(errno, std::generic_category(), "/dev/urandom");
    }
    fclose(file);
    return value;
}

std::random_device::random_device(const std::string &) {}

std::random_device::~random_device() {}

unsigned std::random_device::operator()() {
    unsigned value;
    // Not getrandom(): glibc has it from 2.25 on only.
    while (syscall(SYS_getrandom, &value, sizeof(value), 0) != (long) sizeof(value)) {
        if (errno == ENOSYS) {
            return from_file();
        }
        if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
    }
    return value;
}

double std::random_device::entropy() const noexcept {
    return 8 * sizeof(unsigned);
}

#endif
