#include "target_choice.h"

#include "text.h"

#include <string.h>

static void add(struct candidate * candidate, const char * system, const char * machine, const char * suffix) {
    text_format(candidate->target, sizeof(candidate->target), "%s-%s%s", system, machine, suffix);
    candidate->interpreter = NULL;
}

size_t list_candidates(const char * system, const char * machine, struct candidate candidates[CANDIDATES_MAX]) {
    add(&candidates[0], system, machine, "");
    if (strcmp(system, "linux") == 0) {
        candidates[0].interpreter =
            strcmp(machine, "x86_64") == 0 ? "/lib64/ld-linux-x86-64.so.2" : "/lib/ld-linux-aarch64.so.1";
        add(&candidates[1], system, machine, "-static");
        return 2;
    }
    // Rosetta, and the emulation of Windows 11.
    if (strcmp(machine, "aarch64") == 0 && (strcmp(system, "macos") == 0 || strcmp(system, "windows") == 0)) {
        add(&candidates[1], system, "x86_64", "");
        return 2;
    }
    return 1;
}

const char * system_floor(const char * system, const char * machine) {
    static const char * const floors[][3] = {
        {"linux",   NULL,      "Update the system's C library (glibc 2.17 or newer), or repack the bundle with a "
                               "-static engine too."                                                               },
        {"macos",   "x86_64",  "It needs macOS 13 or newer: update macOS, or use an older bundle."                 },
        {"macos",   "aarch64", "It needs macOS 13 or newer, and Rosetta if it is for Intel: `softwareupdate "
                               "--install-rosetta`."                                                               },
        {"windows", "x86_64",  "It needs Windows 10 or newer with the current Universal C Runtime: update Windows."},
        {"windows", "aarch64", "Engines for x86-64 need Windows 11 on this machine; those for ARM64 need Windows "
                               "10."                                                                               },
        {"freebsd", NULL,      "It needs FreeBSD 14.0 or newer: update the system."                                },
        {"netbsd",  NULL,      "It needs NetBSD 10.1 or newer: update the system."                                 },
        {"openbsd", NULL,      "OpenBSD keeps no old interfaces: it needs the release it was built for; get a newer "
                               "bundle, or update the system."                                                     },
    };
    for (size_t i = 0; i < sizeof(floors) / sizeof(*floors); i++) {
        if (strcmp(system, floors[i][0]) == 0 && (!floors[i][1] || strcmp(machine, floors[i][1]) == 0)) {
            return floors[i][2];
        }
    }
    return "Update the system.";
}
