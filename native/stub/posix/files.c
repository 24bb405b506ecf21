// Files and directories.
#include "../stub.h"

#include "../text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Not the time of the last write, which a restored backup or `touch` sets.
#ifdef __APPLE__
#define CHANGED st_ctimespec
#else
#define CHANGED st_ctim
#endif

const char * os_reason(int error) {
    return strerror(error);
}

int os_look(const char * path, bool follow_link, struct os_info * info) {
    struct stat status;
    if ((follow_link ? stat(path, &status) : lstat(path, &status)) != 0) {
        return errno;
    }
    info->file      = S_ISREG(status.st_mode);
    info->directory = S_ISDIR(status.st_mode);
    info->mine      = status.st_uid == geteuid();
    info->safe      = (status.st_mode & S_IRUSR) && !(status.st_mode & (S_IWGRP | S_IWOTH));
    info->program   = status.st_mode & S_IXUSR;
    info->size      = (uint64_t) status.st_size;
    info->modified  = status.st_mtime;
    info->changed   = (uint64_t) status.CHANGED.tv_sec * 1000000000 + (uint64_t) status.CHANGED.tv_nsec;
    return 0;
}

int os_open(os_file * file, const char * path) {
    // A FIFO would have it wait for a writer.
    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return *file < 0 ? errno : 0;
}

int64_t os_read_at(void * file, void * buf, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread((int) *(os_file *) file, (char *) buf + done, size - done, (off_t) (offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t) n;
    }
    return (int64_t) done;
}

int os_size(os_file file, uint64_t * size) {
    struct stat status;
    if (fstat((int) file, &status) != 0) {
        return errno;
    }
    *size = (uint64_t) status.st_size;
    return S_ISREG(status.st_mode) ? 0 : S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
}

int os_create(os_file * file, const char * path, bool program) {
    mode_t mode = program ? 0700 : 0600;
    int    fd   = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    // The umask may have taken rights away.
    if (fd < 0 || fchmod(fd, mode) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *file = fd;
    return 0;
}

int os_write(os_file file, const void * data, size_t size) {
    while (size > 0) {
        ssize_t n = write((int) file, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        data = (const char *) data + n;
        size -= (size_t) n;
    }
    return 0;
}

int os_close(os_file file, bool keep) {
    // EINVAL: the file system cannot, such as that of /dev/shm on some systems.
    int error = keep && fsync((int) file) != 0 && errno != EINVAL ? errno : 0;
    return close((int) file) != 0 && !error ? errno : error;
}

int os_make_dir(const char * path) {
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

int os_make_temporary_dir(char * path) {
    return mkdtemp(path) ? 0 : errno;
}

int os_sync_dir(const char * path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : os_close(fd, true);
}

int os_rename_dir(const char * from, const char * to) {
    if (rename(from, to) == 0) {
        return 0;
    }
    return errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ? OS_EXISTS : errno;
}

void os_remove_file(const char * path) {
    if (unlink(path) != 0) {
        rmdir(path);
    }
}

void os_list(const char * path, void (*visit)(const char * path, const char * name)) {
    DIR *           list = opendir(path);
    struct dirent * entry;
    if (!list && errno == EACCES && chmod(path, 0700) == 0) { // such as a damaged engine's, to be removed
        list = opendir(path);
    }
    while (list && (entry = readdir(list))) {
        visit(path, entry->d_name);
    }
    if (list) {
        closedir(list);
    }
}

int os_absolute(const char * path, char absolute[PATH_SIZE]) {
    return realpath(path, absolute) ? 0 : errno;
}

int64_t os_now(void) {
    return time(NULL);
}
