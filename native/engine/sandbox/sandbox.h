// What a start may do once its options are settled, and the system that holds it to that.
#pragma once

#include "options.h"

#include <string>
#include <vector>

struct sandbox_policy {
    std::vector<std::string> reads;     // files, and folders with all in them
    std::vector<std::string> writes;    // files; those that are missing are made
    std::vector<std::string> writes_in; // folders, which are made if they are missing
    std::vector<std::string> executes;  // programs, and folders of programs
    std::vector<int>         ports;     // of TCP that it connects to

    bool binds    = false; // listens at these ports, which others of its kind need later
    bool connects = false; // to any port, by names too
    bool gpu      = false; // the devices and caches of a card's driver
    bool children = false; // starts programs
    bool anything = false; // all files, programs and connections of the user's

    std::string widened; // by what: "; --mmproj: connects to any port"
};

// One line of the table: options or a mode, and what it needs.
struct sandbox_need {
    const char * who;    // options, with spaces between them, or a mode
    unsigned     rights; // of the options' values
    const char * words;
};

// The whole table, which ends in a row without `who`.
const sandbox_need * sandbox_needs();

// What the options need, the environment's too. `bundles` are files that are read.
sandbox_policy sandbox_policy_of(const options & opts, const std::vector<std::string> & bundles);

// Adds what one option needs, as it stands in a preset of several models.
void sandbox_policy_add(sandbox_policy & policy, run_mode mode, const std::string & option, const std::vector<std::string> & values);

// Adds what upstream's own programs may need of `words`.
void sandbox_policy_add_words(sandbox_policy & policy, const std::vector<std::string> & words);

// Closes the sandbox: before the first thread and before anything of a stranger's is parsed.
// Throws user_error where it must hold and cannot.
void sandbox_enter(const options & opts, sandbox_policy policy);

// Whether the options turn it off. Throws user_error for a wrong word in the environment.
bool sandbox_is_off(const options & opts);

// For processes that this one starts: the same.
void sandbox_pass_on(const options & opts);

// Says on stderr what holds, once.
void sandbox_report(const options & opts);

// What a message adds about a file that cannot be read, or "".
std::string sandbox_hint();

// What a system can hold.
struct sandbox_held {
    std::string how;   // such as "Landlock 7, seccomp"
    std::string lacks; // what stays open although the policy closes it, or ""
};

// The system's own part: sandbox_linux.cpp and its neighbours.
sandbox_held sandbox_close(const sandbox_policy & policy);
