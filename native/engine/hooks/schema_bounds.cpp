#include "schema_bounds.h"

#include "thread_time.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>

static constexpr double SECONDS   = 1;
static constexpr size_t STACK_MAX = 300 * 1024; // some systems give a thread 512 KB

static thread_local intptr_t stack_begin = 0;
static thread_local double   begun       = 0;
static thread_local uint32_t steps_done  = 0;

void schema_work_begin() {
    const char here = 0;
    stack_begin = (intptr_t) &here;
    begun       = thread_time();
    steps_done  = 0;
}

void schema_work() {
    const char here = 0;
    if (!stack_begin) {
        return; // the user's own, on the command line
    }
    const intptr_t used = stack_begin - (intptr_t) &here;
    if ((size_t) (used < 0 ? -used : used) > STACK_MAX) {
        throw std::invalid_argument("the schema is nested too deeply");
    }
    if (++steps_done % 16 == 0 && thread_time() - begun > SECONDS) {
        throw std::invalid_argument("the schema takes too long");
    }
}
