// What native/targets.toml says of each system, made by `python -m ci.targets`.
#ifndef LLAMAPACK_STUB_TARGETS_H
#define LLAMAPACK_STUB_TARGETS_H

// The system that this program is compiled for, and the file name of its engine's program.
#if defined(__linux__)
#define TARGET_SYSTEM  "linux"
#define TARGET_PROGRAM "llamapack-engine"
#elif defined(__APPLE__)
#define TARGET_SYSTEM  "macos"
#define TARGET_PROGRAM "llamapack-engine"
#elif defined(_WIN32)
#define TARGET_SYSTEM  "windows"
#define TARGET_PROGRAM "llamapack-engine.exe"
#elif defined(__FreeBSD__)
#define TARGET_SYSTEM  "freebsd"
#define TARGET_PROGRAM "llamapack-engine"
#elif defined(__OpenBSD__)
#define TARGET_SYSTEM  "openbsd"
#define TARGET_PROGRAM "llamapack-engine"
#elif defined(__NetBSD__)
#define TARGET_SYSTEM  "netbsd"
#define TARGET_PROGRAM "llamapack-engine"
#else
#error "native/targets.toml has no such system"
#endif

// A system on a machine.
struct target_row {
    const char * system;
    const char * machine;
    const char * loader;   // the file without which only a -static engine runs; NULL: there is none
    const char * emulated; // the machine whose engines run here, too, or NULL
    const char * advice;   // what an engine that does not start probably lacks, and what to do
};

static const struct target_row TARGET_ROWS[] = {
    {"linux", "x86_64", "/lib64/ld-linux-x86-64.so.2", NULL,
     "Update the system's C library (glibc 2.17 or newer), or repack the bundle with a -static engine too."},
    {"linux", "aarch64", "/lib/ld-linux-aarch64.so.1", NULL,
     "Update the system's C library (glibc 2.17 or newer), or repack the bundle with a -static engine too."},
    {"macos", "x86_64", NULL, NULL,
     "It needs macOS 13 or newer: update macOS, or use an older bundle."},
    {"macos", "aarch64", NULL, "x86_64",
     "It needs macOS 13 or newer, and Rosetta if it is for Intel: `softwareupdate --install-rosetta`."},
    {"windows", "x86_64", NULL, NULL,
     "It needs Windows 10 or newer with the current Universal C Runtime: update Windows."},
    {"windows", "aarch64", NULL, "x86_64",
     "Engines for x86-64 need Windows 11 on this machine; those for ARM64 need Windows 10."},
    {"freebsd", "x86_64", NULL, NULL,
     "It needs FreeBSD 14.0 or newer: update the system."},
    {"freebsd", "aarch64", NULL, NULL,
     "It needs FreeBSD 14.0 or newer: update the system."},
    {"openbsd", "x86_64", NULL, NULL,
     "OpenBSD keeps no old interfaces: it needs the release it was built for; get a newer bundle, or update the system."},
    {"openbsd", "aarch64", NULL, NULL,
     "OpenBSD keeps no old interfaces: it needs the release it was built for; get a newer bundle, or update the system."},
    {"netbsd", "x86_64", NULL, NULL,
     "It needs NetBSD 10.1 or newer: update the system."},
    {"netbsd", "aarch64", NULL, NULL,
     "It needs NetBSD 10.1 or newer: update the system."},
};

#endif
