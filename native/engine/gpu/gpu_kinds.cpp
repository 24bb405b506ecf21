#include "gpu_kinds.h"

#include <algorithm>
#include <cctype>
#include <map>

static const std::string DRIVER = "install the driver of the graphics card's maker";

const std::vector<gpu_kind> & gpu_kinds() {
    static const std::vector<gpu_kind> KINDS = {
#if defined(__APPLE__)
        { "metal",  "Metal",  "",                "" },
#elif defined(_WIN32)
        { "cuda",   "CUDA",   "nvcuda.dll",      "install NVIDIA's driver" },
        { "hip",    "ROCm",   "amdhip64_6.dll",  "install AMD's driver and HIP SDK" },
        { "vulkan", "Vulkan", "vulkan-1.dll",    DRIVER },
#else
        { "cuda",   "CUDA",   "libcuda.so.1",    "install NVIDIA's driver" },
        { "hip",    "ROCm",   "libamdhip64.so",  "install AMD's ROCm" },
        { "vulkan", "Vulkan", "libvulkan.so.1",  DRIVER + " and the Vulkan loader (Debian: libvulkan1)" },
#endif
    };
    return KINDS;
}

static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return (char) std::tolower(c); });
    return text;
}

static bool has_any(const std::string & description, const std::vector<std::string> & words) {
    const std::string text = lower(description);
    return std::any_of(words.begin(), words.end(), [&](const std::string & word) { return text.find(word) != std::string::npos; });
}

bool gpu_is_from(const std::string & vendor, const std::string & description) {
    static const std::map<std::string, std::vector<std::string>> WORDS = {
        { "nvidia", { "nvidia", "geforce", "quadro", "tesla" } },
        { "amd",    { "amd", "radeon" }                        },
        { "intel",  { "intel" }                                },
        { "apple",  { "apple" }                                },
    };
    const auto found = WORDS.find(vendor);
    return found != WORDS.end() && has_any(description, found->second);
}

bool gpu_is_software(const std::string & description) {
    return has_any(description, { "llvmpipe", "lavapipe", "swiftshader", "basic render" });
}
