#include "template_budget.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#if defined(_WIN32)
#    include <malloc.h>
#    define block_size _msize
#elif defined(__APPLE__)
#    include <malloc/malloc.h>
#    define block_size malloc_size
#elif defined(__FreeBSD__)
#    include <malloc_np.h>
#    define block_size malloc_usable_size
#elif defined(__linux__)
#    include <malloc.h>
#    define block_size malloc_usable_size
#else
#    define block_size(pointer) 0 // nothing tells: there time and stack alone are bounded
#endif

using work_clock = std::chrono::steady_clock;

static constexpr auto    TIME   = std::chrono::seconds(5);
static constexpr int64_t MEMORY = 512ll << 20;
static constexpr int64_t STACK  = 384 << 10; // threads have 512 KiB on macOS
static constexpr char    COSTS[] = "takes more than 5 seconds, 512 MB or 384 KB of stack to fill in";

struct template_work {
    bool                   is_active   = false;
    bool                   is_loading  = false;
    bool                   is_of_model = false;
    work_clock::time_point begin;
    work_clock::duration   before{}; // spent earlier while this thread loads
    int64_t                memory = 0;
    const char *           stack  = nullptr;
    unsigned               count  = 0;
};

static thread_local template_work work;

template_budget::template_budget() : is_outer(!work.is_active) {
    if (is_outer) {
        work.is_active = true;
        work.begin     = work_clock::now();
        work.memory    = 0;
        work.stack     = (const char *) __builtin_frame_address(0);
    }
}

template_budget::~template_budget() {
    if (is_outer) {
        work.is_active = false;
        work.before += work.is_loading ? work_clock::now() - work.begin : work_clock::duration();
    }
}

void template_loading_begin() {
    work.is_loading = true;
}

void template_set_of_model(bool is_of_model) {
    work.is_of_model = is_of_model;
}

void template_refuse(const char * why) {
    work.is_active = false; // or the words of the error would be too much as well
    if (!work.is_loading) {
        throw std::runtime_error(std::string("the chat template ") + why);
    }
    fprintf(stderr, "ERROR the chat template %s %s\n", work.is_of_model ? "of the model" : "that was given", why);
    fprintf(stderr, "TIP give another one: --chat-template-file FILE, or --chat-template chatml\n");
    std::_Exit(1);
}

void template_step() {
    if (work.is_active && work.before + (work_clock::now() - work.begin) > TIME) {
        template_refuse(COSTS);
    }
}

static void work_check(size_t size) {
    const int64_t depth = work.stack - (const char *) __builtin_frame_address(0);
    if (work.memory + (int64_t) size > MEMORY || depth > STACK ||
        (work.count++ % 64 == 0 && work.before + (work_clock::now() - work.begin) > TIME)) {
        template_refuse(COSTS);
    }
}

// In place of the library's: nothing that a template does can do without memory for long.
void * operator new(std::size_t size) {
    if (work.is_active) {
        work_check(size);
    }
    void * block = std::malloc(size == 0 ? 1 : size);
    if (!block) {
        throw std::bad_alloc();
    }
    if (work.is_active) {
        work.memory += (int64_t) block_size(block);
    }
    return block;
}

void operator delete(void * block) noexcept {
    if (work.is_active && block) {
        work.memory -= (int64_t) block_size(block);
    }
    std::free(block);
}

void operator delete(void * block, std::size_t) noexcept {
    operator delete(block);
}
