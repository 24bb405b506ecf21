#ifdef _WIN32

#include "mapped_members.h"
#include "member_mmap.h"
#include "member_table.h"

#include <io.h>

#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#undef CreateFileMappingA
#undef MapViewOfFile
#undef UnmapViewOfFile
#undef GetProcAddress
#undef VirtualLock
#undef VirtualUnlock

// Mappings made from a descriptor that is open on a member.
static std::mutex                     mappings_mutex;
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
        std::lock_guard<std::mutex> lock(mappings_mutex);
        mapping_members[mapping] = range;
    }
    return mapping;
}

void * member_map_view(HANDLE mapping, DWORD access, DWORD high, DWORD low, SIZE_T size) {
    member_range range;
    {
        std::lock_guard<std::mutex> lock(mappings_mutex);
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
    mapped_members_add({ base, (uintptr_t) view, (uintptr_t) view + bytes });
    return (void *) base;
}

BOOL member_unmap_view(const void * addr) {
    mapped_member found;
    const bool    is_member = mapped_members_take((uintptr_t) addr, &found);
    return UnmapViewOfFile(is_member ? (const void *) found.begin : addr);
}

typedef BOOL(WINAPI * prefetch_function)(HANDLE, ULONG_PTR, PWIN32_MEMORY_RANGE_ENTRY, ULONG);
static prefetch_function prefetch_system;

static BOOL WINAPI prefetch_member(HANDLE process, ULONG_PTR count, PWIN32_MEMORY_RANGE_ENTRY entries, ULONG flags) {
    std::vector<WIN32_MEMORY_RANGE_ENTRY> narrowed;
    for (ULONG_PTR i = 0; i < count; i++) {
        uintptr_t addr = (uintptr_t) entries[i].VirtualAddress;
        size_t    size = entries[i].NumberOfBytes;
        if (mapped_members_narrow(addr, size)) {
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
    return mapped_members_narrow(begin, size) ? VirtualLock((void *) begin, size) : TRUE;
}

BOOL member_virtual_unlock(void * addr, SIZE_T size) {
    uintptr_t begin = (uintptr_t) addr;
    return mapped_members_narrow(begin, size) ? VirtualUnlock((void *) begin, size) : TRUE;
}

#endif
