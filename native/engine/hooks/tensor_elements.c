// What upstream's gguf.cpp calls in place of ggml_nelements. That one's product wraps around, and a
// tensor whose elements come to 0 in this way passes for an empty one, whose size is not checked.

#include "ggml.h"

// The number of elements, at most INT64_MAX. The lengths are not negative.
int64_t ggml_nelements_saturated(const struct ggml_tensor * tensor);

int64_t ggml_nelements_saturated(const struct ggml_tensor * tensor) {
    int64_t product = 1;
    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        if (tensor->ne[i] == 0) {
            return 0;
        }
    }
    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        product = tensor->ne[i] > INT64_MAX / product ? INT64_MAX : product * tensor->ne[i];
    }
    return product;
}
