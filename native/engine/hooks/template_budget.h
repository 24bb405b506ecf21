// What a chat template may cost. It comes with the model, and is a program: it can count for ever,
// double a text until memory ends, and call itself. Included by the compiler in front of the sources
// of upstream's that fill in templates.
#pragma once

#include "jinja/runtime.h"

// While one exists, what its thread computes is bounded in time, memory and stack.
class template_budget {
  public:
    template_budget();
    ~template_budget();
    template_budget(const template_budget &)             = delete;
    template_budget & operator=(const template_budget &) = delete;

  private:
    bool is_outer;
};

// What goes wrong with a template while the model is loaded ends the program, with an ERROR line: the
// caller would go on to the next of some thirty trials. Behind a request it is an exception.
[[noreturn]] void template_refuse(const char * why);

// Ends a template that has taken too long.
void template_step();

// From now on this thread loads a model.
void template_loading_begin();

// Whether the templates that it reads came with the model, or from the command line.
void template_set_of_model(bool is_of_model);

namespace jinja {
struct bounded_runtime : runtime {
    using runtime::runtime;

    value_array execute(const program & prog) {
        template_budget budget;
        return runtime::execute(prog);
    }
};
} // namespace jinja

#define runtime bounded_runtime
