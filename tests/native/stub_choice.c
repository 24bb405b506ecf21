// Says which engines the stub would try on a host: stub_choice SYSTEM MACHINE
#include "target_choice.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

// Texts of every length around the end of a buffer.
static int check_text(void) {
    char out[8];
    for (size_t size = 1; size <= sizeof(out); size++) {
        memset(out, '#', sizeof(out));
        int fits = text_format(out, size, "%s-%llu", "ab", 1203ull);
        if (strlen(out) != (size <= 7 ? size - 1 : 7) || strncmp(out, "ab-1203", strlen(out)) != 0 ||
            fits != (size > 7)) {
            return 1;
        }
    }
    return text_format(out, sizeof(out), "%llu%%", 0ull) && strcmp(out, "0%%") == 0 ? 0 : 1;
}

int main(int argc, char ** argv) {
    struct candidate candidates[CANDIDATES_MAX];
    if (argc != 3) {
        return check_text();
    }
    size_t count = list_candidates(argv[1], argv[2], candidates);
    for (size_t i = 0; i < count; i++) {
        printf("%s %s\n", candidates[i].target, candidates[i].interpreter ? candidates[i].interpreter : "-");
    }
    printf("%s\n", system_floor(argv[1], argv[2]));
    return 0;
}
