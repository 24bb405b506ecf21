#include "upstream.h"

#include "log.h"

int upstream_run(const std::function<int(int, char **)> & program, const std::vector<std::string> & argv) {
    std::vector<char *> pointers;
    for (const auto & one : argv) {
        pointers.push_back(const_cast<char *>(one.c_str()));
    }
    pointers.push_back(nullptr);
    const int status = program((int) argv.size(), pointers.data());
    // Upstream's log, through which the answer goes, is printed by a thread that it leaves behind at
    // exit: the end of the answer would now and then be lost.
    common_log_flush(common_log_main());
    return status;
}
