// Landlock holds files, ports and signals; a seccomp filter holds system calls.
#ifdef __linux__

#include "sandbox.h"

#include "landlock.h"
#include "program_path.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sstream>

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fs = std::filesystem;

//
// files and ports
//

static constexpr uint64_t OF_FILES  = LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV; // others are of folders
static constexpr uint64_t READ      = LL_READ_FILE | LL_READ_DIR;
static constexpr uint64_t WRITE     = LL_WRITE_FILE | LL_TRUNCATE;
static constexpr uint64_t WRITE_IN  = READ | WRITE | LL_REMOVE_FILE | LL_REMOVE_DIR | LL_MAKE_REG | LL_MAKE_DIR | LL_MAKE_SYM | LL_REFER;
static constexpr uint64_t DEVICE    = READ | LL_WRITE_FILE | LL_IOCTL_DEV;

// Libraries, time zones, processors, names of hosts: nothing of the user's.
static const char * const SYSTEM[] = {
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf",
    "/etc/resolv.conf", "/etc/gai.conf", "/etc/services", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys",
    "/sys/devices/system", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/stdin", "/nix/store", "/gnu/store",
};
static const char * const CERTIFICATES[] = { "/etc/ssl", "/etc/pki", "/etc/ca-certificates" };
static const char * const LOADERS[]      = { "/lib", "/lib64", "/usr/lib", "/usr/lib64" };

// Of drivers.
static const char * const GPU_SYSTEM[]  = { "/proc/driver", "/proc/devices", "/proc/modules", "/proc/version", "/sys", "/opt", "/etc/vulkan", "/etc/glvnd", "/etc/drirc", "/etc/nvidia", "/etc/OpenCL", "/run/opengl-driver", "/run/nvidia-persistenced" };
static const char * const GPU_DEVICES[] = { "/dev/dri", "/dev/kfd", "/dev/dma_heap", "/dev/dxg" };
static const char * const GPU_CACHES[]  = { "mesa_shader_cache", "mesa_shader_cache_db", "nvidia" };
static const char * const GPU_FILES[]   = { "VK_ICD_FILENAMES", "VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES", "VK_LAYER_PATH", "LD_LIBRARY_PATH", "XDG_DATA_DIRS" };
static const char * const GPU_OWN[]     = { "MESA_SHADER_CACHE_DIR", "CUDA_CACHE_PATH", "__GL_SHADER_DISK_CACHE_PATH" };

class landlock {
  public:
    const int abi = (int) syscall(LANDLOCK_CREATE, nullptr, 0, LL_VERSION); // negative: none

    explicit landlock(const sandbox_policy & policy) {
        if (abi < 1) {
            return;
        }
        all = (LL_REFER - 1) | (abi >= 2 ? LL_REFER : 0) | (abi >= 3 ? LL_TRUNCATE : 0) | (abi >= 5 ? LL_IOCTL_DEV : 0);
        landlock_ruleset wanted = { all, 0, 0 };
        if (abi >= 4 && !policy.anything) {
            wanted.net = LL_BIND | (policy.connects ? 0 : LL_CONNECT);
        }
        if (abi >= 6) {
            wanted.scopes = LL_SIGNAL | LL_ABSTRACT_UNIX;
        }
        rules = (int) syscall(LANDLOCK_CREATE, &wanted, sizeof(wanted), 0);
        add_policy(policy);
        for (const int port : policy.ports) {
            const landlock_port rule = { wanted.net & ((policy.binds ? LL_BIND : 0) | LL_CONNECT), (uint64_t) port };
            if (rule.access) {
                syscall(LANDLOCK_ADD, rules, LL_PORT, &rule, 0);
            }
        }
    }

    ~landlock() { close(rules); }

    // Returns whether all threads are held.
    bool restrict_self() const {
        if (rules < 0) {
            return false;
        }
        std::error_code error;
        const auto threads = std::distance(fs::directory_iterator("/proc/self/task", error), fs::directory_iterator());
        return syscall(LANDLOCK_RESTRICT, rules, abi >= 8 ? LL_TSYNC : 0) == 0 && (threads <= 1 || abi >= 8);
    }

  private:
    uint64_t all   = 0;
    int      rules = -1;

    void add(const std::string & path, uint64_t access) const {
        landlock_path rule = { access & all, open(path.c_str(), O_PATH | O_CLOEXEC) };
        struct stat   info;
        if (rule.parent < 0) {
            return;
        }
        if (fstat(rule.parent, &info) == 0 && !S_ISDIR(info.st_mode)) {
            rule.access &= OF_FILES;
        }
        syscall(LANDLOCK_ADD, rules, LL_PATH, &rule, 0);
        close(rule.parent);
    }

    void add_all(std::initializer_list<const std::vector<std::string> *> lists, uint64_t access) const {
        for (const auto * list : lists) {
            for (const std::string & path : *list) {
                add(path, access);
            }
        }
    }

    template <size_t N> void add_all(const char * const (&paths)[N], uint64_t access) const {
        for (const char * path : paths) {
            add(path, access);
        }
    }

    void add_policy(const sandbox_policy & policy) const {
        if (policy.anything) {
            add("/", all);
            return;
        }
        add_all(SYSTEM, READ);
        add("/dev/null", READ | LL_WRITE_FILE | LL_IOCTL_DEV);
        add_all({ &policy.reads }, READ);
        for (const std::string & path : policy.writes) {
            close(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)); // a rule needs a file
            add(path, READ | WRITE);
        }
        add_all({ &policy.writes_in }, WRITE_IN);
        add_all({ &policy.executes }, READ | LL_EXECUTE);
        if (policy.children) {
            add_all(LOADERS, READ | LL_EXECUTE);
            add(policy.gpu ? "/proc" : "", READ); // drivers read what is there of themselves
        }
        if (policy.connects || !policy.ports.empty()) {
            add_all(CERTIFICATES, READ);
            for (const char * name : { "SSL_CERT_FILE", "SSL_CERT_DIR" }) {
                add(environment_get(name), READ);
            }
        }
        if (policy.gpu) {
            add_gpu();
        }
    }

    void add_gpu() const {
        add_all(GPU_SYSTEM, READ);
        add_all(GPU_DEVICES, DEVICE);
        add("/proc/self", READ | LL_WRITE_FILE); // CUDA names its threads
        std::error_code error;
        for (fs::directory_iterator one("/dev", error), end; !error && one != end; one.increment(error)) {
            if (one->path().filename().string().rfind("nvidia", 0) == 0) {
                add(one->path().string(), DEVICE);
            }
        }
        const std::string home = environment_get("HOME");
        const std::string kept = environment_get("XDG_CACHE_HOME");
        for (const char * name : GPU_CACHES) {
            add((kept.empty() ? home + "/.cache" : kept) + "/" + name, WRITE_IN);
        }
        add(home + "/.nv", WRITE_IN);
        add(home + "/.local/share/vulkan", READ);
        for (const char * name : GPU_OWN) {
            add(environment_get(name), WRITE_IN);
        }
        for (const char * name : GPU_FILES) {
            std::istringstream paths(environment_get(name));
            for (std::string path; std::getline(paths, path, ':');) {
                add(std::string(name) == "XDG_DATA_DIRS" ? path + "/vulkan" : path, READ);
            }
        }
    }
};

//
// system calls
//

#if defined(__x86_64__)
static constexpr uint32_t ARCHITECTURE = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static constexpr uint32_t ARCHITECTURE = AUDIT_ARCH_AARCH64;
#endif

// Numbers since 424 are the same everywhere; headers may be older than they are.
static constexpr int PIDFD_SEND_SIGNAL = 424, IO_URING_SETUP = 425, IO_URING_ENTER = 426, IO_URING_REGISTER = 427, OPEN_TREE = 428,
                     MOVE_MOUNT = 429, FSOPEN = 430, FSCONFIG = 431, FSMOUNT = 432, FSPICK = 433, CLONE3 = 435, PIDFD_GETFD = 438,
                     PROCESS_MADVISE = 440, MOUNT_SETATTR = 442, FCHMODAT2 = 452, SETXATTRAT = 463, REMOVEXATTRAT = 466, OPEN_TREE_ATTR = 467;

// What no program needs that an answer of a model is worth: other processes, the kernel, devices of its own.
static const int DENIED[] = {
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, PROCESS_MADVISE, SYS_kcmp, PIDFD_GETFD, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, OPEN_TREE, OPEN_TREE_ATTR, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, FSPICK, MOUNT_SETATTR,
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_setns,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
    SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_syslog, SYS_vhangup,
#ifdef __x86_64__
    SYS_kexec_file_load, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib,
#endif
};

// What programs of --tools use. Rights, owners and attributes of files are none of Landlock's.
static const int CLOSED[] = {
    PIDFD_SEND_SIGNAL, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER, SYS_unshare,
    SYS_truncate, SYS_fchmodat, FCHMODAT2, SYS_fchownat, SYS_fchown, SYS_utimensat,
    SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SETXATTRAT, REMOVEXATTRAT,
#ifdef __x86_64__
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
};

// One argument of a call, compared by its lower or upper half.
struct argument {
    int                   number;
    uint32_t              mask;
    std::vector<uint32_t> values;
    bool                  is_denied = false; // these values, not all others
    bool                  upper     = false;
};

class filter {
  public:
    filter() {
        load(offsetof(seccomp_data, arch));
        jump(ARCHITECTURE, 1, 0);
        end(SECCOMP_RET_KILL_PROCESS);
        load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1)); // x32, which numbers the calls in its own way
        end(REFUSED);
#endif
    }

    void deny(int call, int number = EPERM) {
        jump((uint32_t) call, 0, 1);
        end(SECCOMP_RET_ERRNO | (uint32_t) number);
    }

    // Lets the call pass if all arguments are right, and refuses it otherwise.
    void check(int call, const std::vector<argument> & arguments) {
        const size_t start = code.size();
        jump((uint32_t) call, 0, 0);
        for (const argument & one : arguments) {
            load((uint32_t) (offsetof(seccomp_data, args) + 8 * (size_t) one.number + (one.upper ? 4 : 0)));
            code.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, one.mask));
            for (size_t i = 0; i < one.values.size(); i++) {
                const size_t left = one.values.size() - i - 1;
                jump(one.values[i], (uint8_t) (left + 1), 0);
            }
            if (one.is_denied) {
                code.push_back(BPF_STMT(BPF_JMP | BPF_JA, 1));
            }
            end(REFUSED);
        }
        end(SECCOMP_RET_ALLOW);
        code[start].jf = (uint8_t) (code.size() - start - 1);
    }

    // For all threads, whatever they are.
    bool install() {
        end(SECCOMP_RET_ALLOW);
        const sock_fprog program = { (unsigned short) code.size(), code.data() };
        return syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 1 /* SECCOMP_FILTER_FLAG_TSYNC */, &program) == 0;
    }

  private:
    static constexpr uint32_t REFUSED = SECCOMP_RET_ERRNO | EPERM;

    std::vector<sock_filter> code;

    void load(size_t offset) { code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) offset)); }
    void jump(uint32_t value, uint8_t yes, uint8_t no) { code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)); }
    void end(uint32_t answer) { code.push_back(BPF_STMT(BPF_RET | BPF_K, answer)); }
};

// Which calls pass, and with which arguments.
static bool filter_install(const sandbox_policy & policy, int abi) {
    static constexpr uint32_t ALL = 0xFFFFFFFF, NAME_SPACES = 0x7E020000;
    filter made;
    for (const int call : DENIED) {
        made.deny(call);
    }
    made.deny(CLONE3, ENOSYS); // its flags are in memory; libraries take clone then
    made.check(SYS_ioctl, { { 1, ALL, { 0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */ }, true } }); // would type into the user's shell
    if (!policy.anything) {
        for (const int call : CLOSED) {
            made.deny(call);
        }
    }
    if (policy.children) {
        made.check(SYS_clone, { { 0, policy.anything ? 0 : NAME_SPACES, { 0 } } });
    } else {
        const uint32_t self = (uint32_t) getpid();
        made.check(SYS_clone, { { 0, CLONE_THREAD | NAME_SPACES, { CLONE_THREAD } } });
        made.check(SYS_kill, { { 0, ALL, { 0, self } } }); // 0 is Ctrl-Z: the whole job
        made.check(SYS_tgkill, { { 0, ALL, { self } } });
        made.check(SYS_prlimit64, { { 0, ALL, { 0, self } } });
        for (const int call : { (int) SYS_execve, (int) SYS_execveat }) {
            made.deny(call);
        }
        if (abi < 6) { // where Landlock knows no signals
            made.deny(SYS_tkill);
        }
#ifdef __x86_64__
        made.deny(SYS_fork);
        made.deny(SYS_vfork);
#endif
    }
    static constexpr uint32_t KIND = 0xF; // of a socket, without its flags
    if (policy.anything || policy.connects) {
        made.check(SYS_socket, { { 0, ALL, policy.anything ? std::vector<uint32_t>{ AF_UNIX, AF_INET, AF_INET6, AF_NETLINK } : std::vector<uint32_t>{ AF_INET, AF_INET6, AF_NETLINK } } });
        return made.install();
    }
    if (policy.ports.empty()) {
        made.deny(SYS_socket);
        made.deny(SYS_connect);
    } else { // what is left to Landlock's ports: TCP, neither UDP nor MPTCP
        made.check(SYS_socket, { { 0, ALL, { AF_INET, AF_INET6 } }, { 1, KIND, { SOCK_STREAM } }, { 2, ALL, { 0, IPPROTO_TCP } } });
    }
    if (!policy.binds) {
        made.deny(SYS_bind);
        made.deny(SYS_listen);
    }
    // These connect, too, and Landlock does not see it (MSG_FASTOPEN).
    made.check(SYS_sendto, { { 4, ALL, { 0 } }, { 4, ALL, { 0 }, false, true } });
    made.check(SYS_sendmsg, { { 2, 0x20000000u /* MSG_FASTOPEN */, { 0 } } });
    made.deny(SYS_sendmmsg);
    return made.install();
}

sandbox_held sandbox_close(const sandbox_policy & policy) {
    sandbox_held   held;
    const landlock files(policy);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const bool     has_files = files.restrict_self();
    const bool     has_calls = filter_install(policy, files.abi);
    const auto     add       = [](std::string & list, const std::string & more) { list += (list.empty() ? "" : ", ") + more; };
    if (has_files) {
        add(held.how, "Landlock " + std::to_string(files.abi));
    }
    add(has_calls ? held.how : held.lacks, has_calls ? "seccomp" : "system calls (no seccomp)");
    if (!has_files) {
        add(held.lacks, "files (no Landlock)");
    }
    if ((!has_files || files.abi < 4) && !policy.ports.empty() && !policy.connects && !policy.anything) {
        add(held.lacks, "connections to other ports (Landlock before Linux 6.7)");
    }
    return held;
}

#endif
