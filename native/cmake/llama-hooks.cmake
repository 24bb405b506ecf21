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
