#ifndef _WIN32

#include "mapped_members.h"
#include "member_mmap.h"
#include "member_table.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

#undef mmap
#undef munmap
#undef posix_madvise
#undef posix_fadvise
#undef mlock
#undef munlock

void * member_mmap(void * addr, size_t size, int protection, int flags, int fd, off_t offset) {
    member_range range;
    if (!member_table_get_fd(fd, &range) || offset != 0) {
        return mmap(addr, size, protection, flags, fd, offset);
    }

    const uint64_t page  = (uint64_t) sysconf(_SC_PAGESIZE);
    const uint64_t first = range.offset & ~(page - 1);
    const uint64_t last  = std::min<uint64_t>(range.offset + range.size, size);

    // Upstream counts from the start of the container, so its address range is reserved whole, without
    // access. As a mapping of the file it counts against no limit of memory.
    char * base = (char *) mmap(nullptr, size, PROT_NONE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return MAP_FAILED;
    }
    if (mmap(base + first, last - first, protection, flags | MAP_FIXED, fd, (off_t) first) == MAP_FAILED) {
        const int error = errno;
        munmap(base, size);
        errno = error;
        return MAP_FAILED;
    }
    mapped_members_add({ (uintptr_t) base, (uintptr_t) base + first, (uintptr_t) base + last });
    return base;
}

int member_munmap(void * addr, size_t size) {
    // Upstream first gives back fragments at both ends, then what is left.
    mapped_members_remove((uintptr_t) addr, size);
    return munmap(addr, size);
}

int member_madvise(void * addr, size_t size, int advice) {
    uintptr_t begin = (uintptr_t) addr;
    if (!mapped_members_narrow(begin, size)) {
        return 0;
    }
    const uintptr_t page  = (uintptr_t) sysconf(_SC_PAGESIZE);
    const uintptr_t start = begin & ~(page - 1);
    return posix_madvise((void *) start, size + (begin - start), advice);
}

int member_fadvise(int fd, off_t offset, off_t size, int advice) {
#ifdef POSIX_FADV_NORMAL
    member_range range;
    if (member_table_get_fd(fd, &range)) {
        offset = (off_t) range.offset;
        size   = (off_t) range.size;
    }
    return posix_fadvise(fd, offset, size, advice);
#else
    (void) fd, (void) offset, (void) size, (void) advice;
    return 0;
#endif
}

int member_mlock(const void * addr, size_t size) {
    uintptr_t begin = (uintptr_t) addr;
    return mapped_members_narrow(begin, size) ? mlock((const void *) begin, size) : 0;
}

int member_munlock(const void * addr, size_t size) {
    uintptr_t begin = (uintptr_t) addr;
    return mapped_members_narrow(begin, size) ? munlock((const void *) begin, size) : 0;
}

#endif
