#include "target_choice.h"

#include "targets.h"
#include "text.h"

#include <string.h>

static void add(struct candidate * candidate, const char * system, const char * machine, const char * suffix) {
    text_format(candidate->target, sizeof(candidate->target), "%s-%s%s", system, machine, suffix);
    candidate->interpreter = NULL;
}

static const struct target_row * row_of(const char * system, const char * machine) {
    for (size_t i = 0; i < sizeof(TARGET_ROWS) / sizeof(*TARGET_ROWS); i++) {
        if (strcmp(system, TARGET_ROWS[i].system) == 0 && strcmp(machine, TARGET_ROWS[i].machine) == 0) {
            return &TARGET_ROWS[i];
        }
    }
    return NULL;
}

size_t list_candidates(const char * system, const char * machine, struct candidate candidates[CANDIDATES_MAX]) {
    const struct target_row * row = row_of(system, machine);
    add(&candidates[0], system, machine, "");
    if (row && row->loader) {
        candidates[0].interpreter = row->loader;
        add(&candidates[1], system, machine, "-static");
        return 2;
    }
    if (row && row->emulated) {
        add(&candidates[1], system, row->emulated, "");
        return 2;
    }
    return 1;
}

const char * system_floor(const char * system, const char * machine) {
    const struct target_row * row = row_of(system, machine);
    return row ? row->advice : "Update the system.";
}
