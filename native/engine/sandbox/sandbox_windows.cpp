// A job and mitigation policies: no programs, no code from the network or from places of low trust. Files and
// connections stay open: an AppContainer cannot serve at 127.0.0.1.
#ifdef _WIN32

#include "sandbox.h"

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

// Looked up: import libraries may be older than the function.
typedef BOOL (WINAPI * set_policy)(int policy, void * value, SIZE_T size);

static constexpr int EXTENSION_POINTS = 6, IMAGES = 10, CHILDREN = 13; // PROCESS_MITIGATION_POLICY

sandbox_held sandbox_close(const sandbox_policy & policy) {
    const auto   set = (set_policy) (void *) GetProcAddress(GetModuleHandleA("kernel32.dll"), "SetProcessMitigationPolicy");
    sandbox_held held = { "", "files and connections" };
    const auto   hold = [&](int number, DWORD flags, const char * what) {
        if (set && set(number, &flags, sizeof(flags))) {
            held.how += (held.how.empty() ? "" : ", ") + std::string(what);
        }
    };
    hold(IMAGES, 3, "no remote libraries");
    hold(EXTENSION_POINTS, 1, "no extension points");
    if (!policy.children && !policy.anything) {
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
        limits.BasicLimitInformation.LimitFlags         = JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        limits.BasicLimitInformation.ActiveProcessLimit = 1;
        const HANDLE job = CreateJobObjectW(nullptr, nullptr);
        if (job && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)) && AssignProcessToJobObject(job, GetCurrentProcess())) {
            held.how += (held.how.empty() ? "" : ", ") + std::string("no other programs");
        }
        hold(CHILDREN, 1, "no child processes");
    }
    return held;
}

#endif
