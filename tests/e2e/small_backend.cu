// A ggml backend with one device and a kernel: as much as shows that a module was compiled and loads.
#include "ggml-backend-impl.h"

__global__ void twice(float * x) { x[threadIdx.x] *= 2; }

static const char * device_name(ggml_backend_dev_t) { return "Small0"; }
static const char * device_description(ggml_backend_dev_t) { return "a device for tests"; }
static void device_memory(ggml_backend_dev_t, size_t * free, size_t * total) { *free = *total = 1 << 20; }
static enum ggml_backend_dev_type device_type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }

static const char * reg_name(ggml_backend_reg_t) { return "Small"; }
static size_t reg_count(ggml_backend_reg_t) { return 1; }
static ggml_backend_reg_t reg();

static ggml_backend_dev_t reg_device(ggml_backend_reg_t, size_t) {
    static ggml_backend_device device = { { device_name, device_description, device_memory, device_type }, reg(), nullptr };
    return &device;
}

static ggml_backend_reg_t reg() {
    static ggml_backend_reg made = { GGML_BACKEND_API_VERSION, { reg_name, reg_count, reg_device, nullptr }, nullptr };
    return &made;
}

GGML_BACKEND_DL_IMPL(reg)
