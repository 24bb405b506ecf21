#include "member_mmap.h"
#include "member_table.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <vector>

// A mapping as upstream sees it (the whole container) and the part of it that is really there.
struct mapped_member {
    uintptr_t base;  // what upstream was given as the start of the container
    uintptr_t begin; // first mapped byte
    uintptr_t end;   // just past the last mapped byte
};

static std::mutex                 mapped_mutex;
static std::vector<mapped_member> mapped;

// Narrows [addr, addr + size) to what is mapped. Leaves ranges of ordinary files as they are.
// Returns false if nothing is left.
static bool range_narrow(uintptr_t & addr, size_t & size) {
    std::lock_guard<std::mutex> lock(mapped_mutex);
    for (const auto & m : mapped) {
        if (addr >= m.base && addr < m.end) {
            const uintptr_t begin = std::max(addr, m.begin);
            const uintptr_t end   = std::min(addr + size, m.end);
            if (begin >= end) {
                return false;
            }
            addr = begin;
            size = end - begin;
            return true;
        }
    }
    return true;
}

static void mapped_add(const mapped_member & m) {
    std::lock_guard<std::mutex> lock(mapped_mutex);
    mapped.push_back(m);
}

#ifndef _WIN32

#    include <unistd.h>

#    undef mmap
#    undef munmap
#    undef posix_madvise
#    undef posix_fadvise
#    undef mlock
#    undef munlock

void * member_mmap(void * addr, size_t size, int protection, int flags, int fd, off_t offset) {
    member_range range;
    if (!member_table_get_fd(fd, &range) || offset != 0) {
        return mmap(addr, size, protection, flags, fd, offset);
    }

    const uint64_t page  = (uint64_t) sysconf(_SC_PAGESIZE);
    const uint64_t first = range.offset & ~(page - 1);
    const uint64_t last  = std::min<uint64_t>(range.offset + range.size, size);

    // Upstream counts from the start of the container, so its address range is reserved whole,
    // without access and without memory behind it.
    int reserve_flags = MAP_PRIVATE | MAP_ANON;
#    ifdef MAP_NORESERVE
    reserve_flags |= MAP_NORESERVE;
#    endif
    char * base = (char *) mmap(nullptr, size, PROT_NONE, reserve_flags, -1, 0);
    if (base == MAP_FAILED) {
        return MAP_FAILED;
    }
    if (mmap(base + first, last - first, protection, flags | MAP_FIXED, fd, (off_t) first) == MAP_FAILED) {
        const int error = errno;
        munmap(base, size);
        errno = error;
        return MAP_FAILED;
    }
    mapped_add({ (uintptr_t) base, (uintptr_t) base + first, (uintptr_t) base + last });
    return base;
}

int member_munmap(void * addr, size_t size) {
    {
        std::lock_guard<std::mutex> lock(mapped_mutex);
        const uintptr_t begin = (uintptr_t) addr;
        for (size_t i = 0; i < mapped.size(); i++) {
            // Upstream first gives back fragments at both ends, then what is left.
            if (begin <= mapped[i].begin && begin + size >= mapped[i].end) {
                mapped.erase(mapped.begin() + i);
                break;
            }
        }
    }
    return munmap(addr, size);
}

int member_madvise(void * addr, size_t size, int advice) {
    uintptr_t begin = (uintptr_t) addr;
    if (!range_narrow(begin, size)) {
        return 0;
    }
    const uintptr_t page  = (uintptr_t) sysconf(_SC_PAGESIZE);
    const uintptr_t start = begin & ~(page - 1);
    return posix_madvise((void *) start, size + (begin - start), advice);
}

int member_fadvise(int fd, off_t offset, off_t size, int advice) {
#    ifdef POSIX_FADV_NORMAL
    member_range range;
    if (member_table_get_fd(fd, &range)) {
        offset = (off_t) range.offset;
        size   = (off_t) range.size;
    }
    return posix_fadvise(fd, offset, size, advice);
#    else
    (void) fd, (void) offset, (void) size, (void) advice;
    return 0;
#    endif
}

int member_mlock(const void * addr, size_t size) {
    uintptr_t begin = (uintptr_t) addr;
    return range_narrow(begin, size) ? mlock((const void *) begin, size) : 0;
}

int member_munlock(const void * addr, size_t size) {
    uintptr_t begin = (uintptr_t) addr;
    return range_narrow(begin, size) ? munlock((const void *) begin, size) : 0;
}

#else // _WIN32

#    include <io.h>

#    include <map>

#    undef CreateFileMappingA
#    undef MapViewOfFile
#    undef UnmapViewOfFile
#    undef GetProcAddress
#    undef VirtualLock
#    undef VirtualUnlock

// Mappings made from a descriptor that is open on a member.
static std::map<HANDLE, member_range> mapping_members;

static bool handle_member(HANDLE file, member_range & range) {
    for (int fd = 0; fd < 8192; fd++) {
        if (member_table_get_fd(fd, &range) && (HANDLE) _get_osfhandle(fd) == file) {
            return true;
        }
    }
    return false;
}

HANDLE member_create_file_mapping(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD high, DWORD low, LPCSTR name) {
    HANDLE       mapping = CreateFileMappingA(file, security, protect, high, low, name);
    member_range range;
    if (mapping && handle_member(file, range)) {
        std::lock_guard<std::mutex> lock(mapped_mutex);
        mapping_members[mapping] = range;
    }
    return mapping;
}

void * member_map_view(HANDLE mapping, DWORD access, DWORD high, DWORD low, SIZE_T size) {
    member_range range;
    {
        std::lock_guard<std::mutex> lock(mapped_mutex);
        const auto it = mapping_members.find(mapping);
        if (it == mapping_members.end()) {
            return MapViewOfFile(mapping, access, high, low, size);
        }
        range = it->second;
        mapping_members.erase(it);
    }
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    const uint64_t first = range.offset / info.dwAllocationGranularity * info.dwAllocationGranularity;
    const uint64_t bytes = range.offset + range.size - first;

    char * view = (char *) MapViewOfFile(mapping, access, (DWORD) (first >> 32), (DWORD) first, (SIZE_T) bytes);
    if (!view) {
        return nullptr;
    }
    // Upstream adds offsets in the container to what it gets here, and touches nothing below the member.
    const uintptr_t base = (uintptr_t) view - first;
    mapped_add({ base, (uintptr_t) view, (uintptr_t) view + bytes });
    return (void *) base;
}

BOOL member_unmap_view(const void * addr) {
    {
        std::lock_guard<std::mutex> lock(mapped_mutex);
        for (size_t i = 0; i < mapped.size(); i++) {
            if (mapped[i].base == (uintptr_t) addr) {
                const void * view = (const void *) mapped[i].begin;
                mapped.erase(mapped.begin() + i);
                return UnmapViewOfFile(view);
            }
        }
    }
    return UnmapViewOfFile(addr);
}

typedef BOOL(WINAPI * prefetch_function)(HANDLE, ULONG_PTR, PWIN32_MEMORY_RANGE_ENTRY, ULONG);
static prefetch_function prefetch_system;

static BOOL WINAPI prefetch_member(HANDLE process, ULONG_PTR count, PWIN32_MEMORY_RANGE_ENTRY entries, ULONG flags) {
    std::vector<WIN32_MEMORY_RANGE_ENTRY> narrowed;
    for (ULONG_PTR i = 0; i < count; i++) {
        uintptr_t addr = (uintptr_t) entries[i].VirtualAddress;
        size_t    size = entries[i].NumberOfBytes;
        if (range_narrow(addr, size)) {
            narrowed.push_back({ (void *) addr, size });
        }
    }
    return narrowed.empty() || prefetch_system(process, narrowed.size(), narrowed.data(), flags);
}

FARPROC member_get_proc_address(HMODULE module, const char * name) {
    FARPROC found = GetProcAddress(module, name);
    if (found && strcmp(name, "PrefetchVirtualMemory") == 0) {
        prefetch_system = (prefetch_function) (void *) found;
        return (FARPROC) (void *) prefetch_member;
    }
    return found;
}

BOOL member_virtual_lock(void * addr, SIZE_T size) {
    uintptr_t begin = (uintptr_t) addr;
    return range_narrow(begin, size) ? VirtualLock((void *) begin, size) : TRUE;
}

BOOL member_virtual_unlock(void * addr, SIZE_T size) {
    uintptr_t begin = (uintptr_t) addr;
    return range_narrow(begin, size) ? VirtualUnlock((void *) begin, size) : TRUE;
}

#endif
