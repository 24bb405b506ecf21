#ifndef _WIN32

#include "processors.h"

#ifdef __linux__

#include <algorithm>
#include <fstream>
#include <sched.h>
#include <set>
#include <sstream>
#include <string>

static std::string first_line(const std::string & path) {
    std::ifstream file(path);
    std::string   line;
    std::getline(file, line);
    return line;
}

// Cores: two processors that share one count once.
static int cores_of_affinity() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return 0;
    }
    std::set<std::string> cores;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &allowed)) {
            const std::string number   = std::to_string(i);
            const std::string siblings = first_line("/sys/devices/system/cpu/cpu" + number + "/topology/thread_siblings");
            cores.insert(siblings.empty() ? number : siblings);
        }
    }
    return (int) cores.size();
}

// Processors, rounded up; 0 for no limit.
static int of_quota(double quota, double period) {
    return quota > 0 && period > 0 ? std::max(1, (int) ((quota + period - 1) / period)) : 0;
}

// The limit in one folder of a control group, of version 2 or 1.
static int quota_in(const std::string & folder) {
    double quota = 0, period = 0;
    if (std::istringstream(first_line(folder + "/cpu.max")) >> quota >> period) {
        return of_quota(quota, period);
    }
    if (std::istringstream(first_line(folder + "/cpu.cfs_quota_us")) >> quota &&
        std::istringstream(first_line(folder + "/cpu.cfs_period_us")) >> period) {
        return of_quota(quota, period);
    }
    return 0;
}

// The smallest limit of this process's group and those around it. In a container its own group is the
// root of what is mounted, whatever the path says.
static int quota_of_group() {
    std::ifstream groups("/proc/self/cgroup"); // lines as in cgroups(7): NUMBER:CONTROLLERS:PATH
    int           limit = 0;
    for (std::string line; std::getline(groups, line);) {
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        if (controllers != ",," && controllers.find(",cpu,") == std::string::npos) {
            continue;
        }
        const std::string root = controllers == ",," ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        std::string       path = line.substr(second + 1);
        while (true) {
            const int found = quota_in(root + path);
            limit           = found > 0 && (limit == 0 || found < limit) ? found : limit;
            const size_t slash = path.find_last_of('/');
            if (path.empty() || slash == std::string::npos) {
                break;
            }
            path.resize(slash);
        }
    }
    return limit;
}

int processors_allowed() {
    const int cores = cores_of_affinity(), quota = quota_of_group();
    return cores > 0 && quota > 0 ? std::min(cores, quota) : std::max(cores, quota);
}

#else

int processors_allowed() { return 0; }

#endif

#endif
