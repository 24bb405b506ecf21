// Landlock's interface as the kernel keeps it, for headers that are older: include/uapi/linux/landlock.h.
#pragma once

#include <cstdint>

static constexpr long LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446; // system calls of all machines

static constexpr uint64_t LL_EXECUTE = 1 << 0, LL_WRITE_FILE = 1 << 1, LL_READ_FILE = 1 << 2, LL_READ_DIR = 1 << 3,
                          LL_REMOVE_DIR = 1 << 4, LL_REMOVE_FILE = 1 << 5, LL_MAKE_DIR = 1 << 7, LL_MAKE_REG = 1 << 8,
                          LL_MAKE_SYM = 1 << 12, LL_REFER = 1 << 13, LL_TRUNCATE = 1 << 14, LL_IOCTL_DEV = 1 << 15;
static constexpr uint64_t LL_BIND = 1, LL_CONNECT = 2;         // of TCP
static constexpr uint64_t LL_ABSTRACT_UNIX = 1, LL_SIGNAL = 2; // scopes

static constexpr uint32_t LL_VERSION = 1;      // of LANDLOCK_CREATE: which ABI
static constexpr uint32_t LL_TSYNC   = 1 << 3; // of LANDLOCK_RESTRICT, since ABI 8: all threads
static constexpr int      LL_PATH = 1, LL_PORT = 2;

struct landlock_ruleset {
    uint64_t files, net, scopes;
};

struct landlock_path {
    uint64_t access;
    int32_t  parent;
} __attribute__((packed));

struct landlock_port {
    uint64_t access, port;
};
