// What the user can mend: shown as one ERROR line and one TIP line; the program ends with status 1.
#pragma once

#include <stdexcept>
#include <string>

struct user_error : std::runtime_error {
    std::string tip;

    user_error(const std::string & message, const std::string & tip) : std::runtime_error(message), tip(tip) {}
};
