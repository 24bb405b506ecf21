// Upstream's reader of GGUF headers, through our ggml_fopen: the input is a member of a bundle. Then what
// loaders ask of a header, of each key and tensor.
#include "gguf.h"

#include "ggml-backend.h"
#include "ggml.h"
#include "input.h"
#include "member_table.h"

#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>

// Of ggml's back ends, which only reading and writing of weights would ask.
extern "C" {
void ggml_backend_tensor_get(const ggml_tensor *, void *, size_t, size_t) { abort(); }
void ggml_backend_tensor_set(ggml_tensor *, const void *, size_t, size_t) { abort(); }
void ggml_backend_tensor_memset(ggml_tensor *, uint8_t, size_t, size_t) { abort(); }
ggml_backend_buffer_usage ggml_backend_buffer_get_usage(ggml_backend_buffer_t) { abort(); }
}

static const uint64_t MEMBER = 64; // bytes before it

static int container() {
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("bundle", 0);
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        check(fd >= 0 && member_table_add("/zip/m.gguf", path, { MEMBER, 1 << 20 }));
        ggml_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    }
    return fd;
}

static void ask(const gguf_context * header) {
    for (int64_t i = 0; i < gguf_get_n_kv(header); i++) {
        const gguf_type type = gguf_get_kv_type(header, i);
        check(gguf_find_key(header, gguf_get_key(header, i)) >= 0);
        if (type == GGUF_TYPE_STRING) {
            check(strlen(gguf_get_val_str(header, i)) < 1 << 20);
        } else if (type == GGUF_TYPE_ARRAY && gguf_get_arr_type(header, i) == GGUF_TYPE_STRING) {
            for (size_t n = 0; n < gguf_get_arr_n(header, i); n++) {
                check(strlen(gguf_get_arr_str(header, i, n)) < 1 << 20);
            }
        }
    }
    for (int64_t i = 0; i < gguf_get_n_tensors(header); i++) {
        check(gguf_find_tensor(header, gguf_get_tensor_name(header, i)) >= 0);
        gguf_get_tensor_offset(header, i);
        gguf_get_tensor_size(header, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    const int fd = container();
    check(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, MEMBER) == (ssize_t) size);
    ggml_context * tensors = nullptr;
    if (gguf_context * header = gguf_init_from_file("/zip/m.gguf", { true, &tensors })) {
        ask(header);
        gguf_free(header);
        ggml_free(tensors);
    }
    return 0;
}
