# Upstream maps the whole file that a model lies in; with this header in front of it, only the
# member of the bundle is mapped, locked and prefetched.
set_source_files_properties("${LLAMA_SOURCE}/src/llama-mmap.cpp" DIRECTORY "${LLAMA_SOURCE}/src"
    PROPERTIES COMPILE_OPTIONS "-include;${CMAKE_CURRENT_SOURCE_DIR}/engine/hooks/member_mmap.h")
set(hooks "${CMAKE_CURRENT_SOURCE_DIR}/engine/hooks")
target_sources(llama PRIVATE
    "${hooks}/mapped_members.cpp"
    "${hooks}/member_mmap_posix.cpp"
    "${hooks}/member_mmap_windows.cpp")
target_include_directories(llama PRIVATE "${hooks}")

# Upstream's parser reads what it is given, not what Windows says the process was started with.
set_source_files_properties("${LLAMA_SOURCE}/common/arg.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/given_argv.h")

# Upstream tells only its log how many layers run on the GPU.
set_source_files_properties("${LLAMA_SOURCE}/common/common.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_DEFINITIONS llama_log_set=llama_log_set_watched)

# The web UI comes out of the bundle: this folder's ui.h stands before the one for embedded pages.
target_include_directories(llama-server-impl BEFORE PRIVATE "${hooks}/web_ui")

# Upstream has a source per model architecture, some 150 of them, and each reads the same headers:
# ten at a time they compile in half the time. Neighbours in the alphabet define helpers of the same
# name (gemma3n and gemma4), so the groups are dealt out like cards.
file(GLOB models "${LLAMA_SOURCE}/src/models/*.cpp")
list(SORT models)
set(number 0)
foreach (model ${models})
    math(EXPR group "${number} % 10")
    math(EXPR number "${number} + 1")
    set_source_files_properties("${model}" DIRECTORY "${LLAMA_SOURCE}/src"
        PROPERTIES UNITY_GROUP "models-${group}")
endforeach()
set_target_properties(llama PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
