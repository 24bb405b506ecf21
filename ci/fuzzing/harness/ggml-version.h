// In place of the one that upstream's build makes.
#define GGML_VERSION "fuzzed"
#define GGML_COMMIT  "fuzzed"
