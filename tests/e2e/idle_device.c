// A ggml backend whose one card can hold layers and leaves all computing to the CPU.
#include "ggml-backend-impl.h"
#include "ggml-impl.h"

#include <stdlib.h>

static const char * backend_name(ggml_backend_t backend) { (void) backend; return "Idle"; }
static void backend_free(ggml_backend_t backend) { free(backend); }
static enum ggml_status backend_compute(ggml_backend_t backend, struct ggml_cgraph * graph) {
    (void) backend;
    return graph->n_nodes == 0 ? GGML_STATUS_SUCCESS : GGML_STATUS_FAILED;
}

static const char * device_name(ggml_backend_dev_t dev) { (void) dev; return "Idle0"; }
static const char * device_description(ggml_backend_dev_t dev) { (void) dev; return "Idle Card"; }
static void device_memory(ggml_backend_dev_t dev, size_t * free, size_t * total) { (void) dev; *free = *total = 1 << 30; }
static enum ggml_backend_dev_type device_type(ggml_backend_dev_t dev) { (void) dev; return GGML_BACKEND_DEVICE_TYPE_GPU; }
static void device_props(ggml_backend_dev_t dev, struct ggml_backend_dev_props * props) {
    *props = (struct ggml_backend_dev_props) { .name = device_name(dev), .description = device_description(dev), .type = device_type(dev) };
    device_memory(dev, &props->memory_free, &props->memory_total);
}
static ggml_backend_t device_backend(ggml_backend_dev_t dev, const char * params) {
    (void) params;
    static ggml_guid guid = { 1 };
    ggml_backend_t made = calloc(1, sizeof(*made));
    made->guid = &guid;
    made->iface.get_name      = backend_name;
    made->iface.free          = backend_free;
    made->iface.graph_compute = backend_compute;
    made->device = dev;
    return made;
}
static ggml_backend_buffer_type_t device_buffers(ggml_backend_dev_t dev) { (void) dev; return ggml_backend_cpu_buffer_type(); }
static bool device_supports_op(ggml_backend_dev_t dev, const struct ggml_tensor * op) { (void) dev; (void) op; return false; }
static bool device_supports_buffers(ggml_backend_dev_t dev, ggml_backend_buffer_type_t type) { (void) dev; return ggml_backend_buft_is_host(type); }

static struct ggml_backend_device device = { {
    .get_name        = device_name,
    .get_description = device_description,
    .get_memory      = device_memory,
    .get_type        = device_type,
    .get_props       = device_props,
    .init_backend    = device_backend,
    .get_buffer_type = device_buffers,
    .supports_op     = device_supports_op,
    .supports_buft   = device_supports_buffers,
} };

static const char * reg_name(ggml_backend_reg_t reg) { (void) reg; return "Idle"; }
static size_t reg_count(ggml_backend_reg_t reg) { (void) reg; return 1; }
static ggml_backend_dev_t reg_device(ggml_backend_reg_t reg, size_t index) { (void) index; device.reg = reg; return &device; }
static struct ggml_backend_reg reg = { GGML_BACKEND_API_VERSION, { reg_name, reg_count, reg_device } };

GGML_BACKEND_API ggml_backend_reg_t ggml_backend_init(void) { return &reg; }
