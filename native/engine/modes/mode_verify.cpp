#include "modes.h"

#include "archive.h"
#include "json.h"
#include "processors.h"
#include "terminal.h"
#include "user_error.h"
#include "utf8.h"
#include "zip_extract.h"

#include <openssl/sha.h> // which uses the processor's instructions for it

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

static const char MANIFEST[] = "llamapack.json";

static constexpr size_t   MANIFEST_MAX = 64 << 20;
static constexpr uint64_t FRONT_MAX    = 16 << 20; // head and start stubs; as packer/bundle has it

struct expectation {
    uint64_t    size;
    std::string sha256;
};

// What is known of a file while its members are hashed, by all threads.
struct verification {
    std::vector<std::string>           names; // the largest first
    std::map<std::string, expectation> stated;
    std::atomic<size_t>                next{ 0 };
    std::atomic<int>                   running{ 0 }; // threads
    std::atomic<uint64_t>              done{ 0 }; // bytes
    uint64_t                           total = 0;
    std::mutex                         lock;
    std::vector<std::string>           faults;

    void fault(const std::string & text) {
        const std::lock_guard<std::mutex> hold(lock);
        faults.push_back(text);
    }
};

struct digest {
    SHA256_CTX     hash;
    verification * of;
};

static int digest_add(void * sink, const void * data, size_t size) {
    digest & to = *(digest *) sink;
    SHA256_Update(&to.hash, data, size);
    to.of->done += size;
    return 0;
}

static std::string digest_text(SHA256_CTX & hash) {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    char    hex[2 * sizeof(bytes) + 1];
    SHA256_Final(bytes, &hash);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    return hex;
}

static void member_check(verification & of, const archive & file, const std::string & name) {
    const zip_member * member = file.find(name);
    const char *       error  = nullptr;
    digest             to{ {}, &of };
    SHA256_Init(&to.hash);
    const auto stated = of.stated.find(name);
    if (zip_extract(&file.directory(), member, digest_add, &to, &error) != 0) {
        of.fault(name + ": damaged: " + error);
    } else if (stated == of.stated.end()) {
        if (name != MANIFEST && !of.stated.empty()) {
            of.fault(name + ": unlisted: the manifest does not know it");
        }
    } else if (member->size != stated->second.size || digest_text(to.hash) != stated->second.sha256) {
        of.fault(name + ": damaged: its SHA-256 is not that of the manifest");
    }
}

static void members_check(verification & of, const std::string & path) {
    archive file; // one for each thread: reading moves its place
    if (const char * error = file.open(path)) {
        of.fault(path + ": " + error);
    } else {
        for (size_t at = of.next++; at < of.names.size(); at = of.next++) {
            member_check(of, file, of.names[at]);
        }
    }
    of.running--;
}

// Takes what the manifest says of the members, and checks what lies in front of them.
static void manifest_read(verification & of, const archive & file) {
    const zip_member * member = file.find(MANIFEST);
    if (!member) {
        return; // CRCs are all that can be compared
    }
    const char * error = nullptr;
    size_t       size  = 0;
    const std::unique_ptr<char, decltype(&free)> text(zip_extract_alloc(&file.directory(), member, MANIFEST_MAX, &size, &error), free);
    if (!text) {
        throw user_error(std::string(MANIFEST) + ": damaged: " + error, "fetch the file again");
    }
    try {
        const common_json manifest = common_json::parse(std::string(text.get(), size));
        if (manifest.at("format").get<int>() != 1) {
            throw user_error("the manifest has a later format than this engine knows", "`llamapack verify` of a newer llamapack checks it");
        }
        for (const auto & one : manifest.at("members").items()) {
            of.stated[one.key()] = { one.value().at("size").get<uint64_t>(), one.value().at("sha256").get<std::string>() };
        }
        if (manifest.contains("front")) {
            const uint64_t    front = manifest.at("front").at("size").get<uint64_t>();
            const std::string bytes = front <= FRONT_MAX ? file.bytes(0, front) : "";
            SHA256_CTX        hash;
            SHA256_Init(&hash);
            SHA256_Update(&hash, bytes.data(), bytes.size());
            if (digest_text(hash) != manifest.at("front").at("sha256").get<std::string>()) {
                of.fault("head and start stubs: damaged: their SHA-256 is not that of the manifest");
            }
        }
    } catch (const user_error &) {
        throw;
    } catch (const std::exception &) {
        throw user_error(std::string(MANIFEST) + ": damaged: it is not a manifest", "fetch the file again");
    }
}

static void progress_show(const verification & of) {
    while (of.running > 0) {
        fprintf(stderr, "\rverifying: %d %%", (int) (100.0 * of.done / std::max<uint64_t>(of.total, 1)));
        fflush(stderr);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    fprintf(stderr, "\r\033[K");
}

int mode_verify(const std::string & path) {
    archive      file;
    verification of;
    if (path.empty()) {
        throw user_error("there is no bundle to verify", "start a .llamafile with --verify");
    }
    if (const char * error = file.open(path)) {
        throw user_error(path + ": " + error, "fetch the file again");
    }
    manifest_read(of, file);
    for (size_t i = 0; i < file.directory().count; i++) {
        const zip_member & member = file.directory().members[i];
        const std::string  name   = member.name;
        if (!name.empty() && name.back() != '/') {
            of.names.push_back(name);
            of.total += member.size;
        }
    }
    for (const auto & one : of.stated) {
        if (!file.find(one.first)) {
            of.faults.push_back(one.first + ": missing: the manifest lists it, but the file does not contain it");
        }
    }
    std::sort(of.names.begin(), of.names.end(), [&](const std::string & a, const std::string & b) {
        return file.find(a)->size > file.find(b)->size;
    });
    std::vector<std::thread> threads;
    of.running = std::max(1, processors_allowed());
    for (int i = of.running; i > 0; i--) {
        threads.emplace_back(members_check, std::ref(of), path);
    }
    if (terminal_error_is_tty()) {
        progress_show(of);
    }
    for (std::thread & one : threads) {
        one.join();
    }
    std::sort(of.faults.begin(), of.faults.end());
    for (const std::string & one : of.faults) {
        printf("%s\n", utf8_printable(one).c_str());
    }
    if (!of.faults.empty()) {
        throw user_error(path + ": " + std::to_string(of.faults.size()) + " of its parts are not as they were packed", "fetch the file again");
    }
    printf("%s: all %zu members (%" PRIu64 " bytes) are as %s\n", utf8_printable(path).c_str(), of.names.size(), of.total,
           of.stated.empty() ? "their CRC-32 says; there is no manifest" : "they were packed");
    return 0;
}
