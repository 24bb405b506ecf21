// Included by the compiler in front of upstream's llama-mmap.cpp. Upstream maps the whole file that
// a model lies in, prefetches it and locks it; these functions of ours do the same with the member
// of the bundle only, and leave files that are no bundle alone.
#pragma once

#ifdef _WIN32

#    ifndef WIN32_LEAN_AND_MEAN
#        define WIN32_LEAN_AND_MEAN
#    endif
#    ifndef NOMINMAX
#        define NOMINMAX
#    endif
#    include <windows.h>

HANDLE  member_create_file_mapping(HANDLE file, LPSECURITY_ATTRIBUTES, DWORD protect, DWORD, DWORD, LPCSTR);
void *  member_map_view(HANDLE mapping, DWORD access, DWORD, DWORD, SIZE_T);
BOOL    member_unmap_view(const void * addr);
FARPROC member_get_proc_address(HMODULE module, const char * name);
BOOL    member_virtual_lock(void * addr, SIZE_T size);
BOOL    member_virtual_unlock(void * addr, SIZE_T size);

#    define CreateFileMappingA member_create_file_mapping
#    define MapViewOfFile      member_map_view
#    define UnmapViewOfFile    member_unmap_view
#    define GetProcAddress     member_get_proc_address
#    define VirtualLock        member_virtual_lock
#    define VirtualUnlock      member_virtual_unlock

#else

#    include <fcntl.h>
#    include <sys/mman.h>
#    include <sys/types.h>

// With C's linkage, as mmap itself: on OpenBSD this header declares its functions at every inclusion.
extern "C" {
void * member_mmap(void * addr, size_t size, int protection, int flags, int fd, off_t offset);
int    member_munmap(void * addr, size_t size);
int    member_madvise(void * addr, size_t size, int advice);
int    member_fadvise(int fd, off_t offset, off_t size, int advice);
int    member_mlock(const void * addr, size_t size);
int    member_munlock(const void * addr, size_t size);
}

#    define mmap          member_mmap
#    define munmap        member_munmap
#    define posix_madvise member_madvise
#    define posix_fadvise member_fadvise
#    define mlock         member_mlock
#    define munlock       member_munlock

#endif
