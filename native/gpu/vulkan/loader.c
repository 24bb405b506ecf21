// What ggml's Vulkan module is linked with in place of Vulkan's loader: it asks the loader for one
// function by name, and this function for all others.

#ifdef _WIN32
__declspec(dllexport)
#endif
void vkGetInstanceProcAddr(void);

void vkGetInstanceProcAddr(void) {}
