// Runs this program a second time, to try what may crash.
#pragma once

#include <string>

struct child_end {
    std::string output;  // what it wrote to stdout
    std::string failure; // how it ended if it failed, such as "it crashed (signal 11)"; else ""
};

// Starts `program` with the variable `name` set to `value`, without input and with its stderr left
// out, and waits for its end; after `seconds` it is killed. All texts are UTF-8.
child_end child_run(const std::string & program, const std::string & name, const std::string & value, int seconds);
