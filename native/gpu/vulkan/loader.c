// What ggml's Vulkan module is linked with in place of Vulkan's loader: the functions of the loader that it
// calls by name. It asks vkGetInstanceProcAddr for all others.

#ifdef _WIN32
#    define LOADER_API __declspec(dllexport)
#else
#    define LOADER_API
#endif

LOADER_API void vkCmdCopyBuffer(void);
LOADER_API void vkGetDeviceProcAddr(void);
LOADER_API void vkGetInstanceProcAddr(void);
LOADER_API void vkGetPhysicalDeviceFeatures2(void);

void vkCmdCopyBuffer(void) {}
void vkGetDeviceProcAddr(void) {}
void vkGetInstanceProcAddr(void) {}
void vkGetPhysicalDeviceFeatures2(void) {}
