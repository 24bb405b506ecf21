# How our code gets into ggml without a patch: upstream's functions are renamed by a definition on
# the one source that has them, and ours of the same name is added to the library.

set(ggml_src "${LLAMA_SOURCE}/ggml/src")
set(hooks    "${CMAKE_CURRENT_SOURCE_DIR}/engine/hooks")
set(bundle   "${CMAKE_CURRENT_SOURCE_DIR}/bundle")

# Every path that llama.cpp opens goes through ggml_fopen.
set_source_files_properties("${ggml_src}/ggml.c" DIRECTORY "${ggml_src}"
    PROPERTIES COMPILE_DEFINITIONS ggml_fopen=ggml_fopen_path)
# A header's tensors are as large as it says they are: see tensor_elements.c.
set_source_files_properties("${ggml_src}/gguf.cpp" DIRECTORY "${ggml_src}"
    PROPERTIES COMPILE_DEFINITIONS ggml_nelements=ggml_nelements_saturated)
target_sources(ggml-base PRIVATE
    "${hooks}/ggml_fopen.c"
    "${hooks}/member_table.c"
    "${hooks}/tensor_elements.c")
target_include_directories(ggml-base PRIVATE "${hooks}" "${bundle}" "${ggml_src}/../include")

# Upstream looks for modules in the current directory too; ours looks only where it is told.
set_source_files_properties("${ggml_src}/ggml-backend-reg.cpp" DIRECTORY "${ggml_src}"
    PROPERTIES COMPILE_DEFINITIONS ggml_backend_load_all=ggml_backend_load_all_anywhere)
target_sources(ggml PRIVATE "${hooks}/module_dir.cpp")
target_include_directories(ggml PRIVATE "${hooks}" "${ggml_src}")

# What the processor can is not all that counts: see cpu_score.c.
set_source_files_properties("${ggml_src}/ggml-cpu/arch/x86/cpu-feats.cpp" DIRECTORY "${ggml_src}"
    PROPERTIES COMPILE_DEFINITIONS ggml_backend_score=ggml_backend_score_of_cpuid)

# The prebuilt modules of the same release ask for libggml-base.so, not libggml-base.so.0; with
# another name a second copy would be loaded beside ours.
get_property(targets DIRECTORY "${ggml_src}" PROPERTY BUILDSYSTEM_TARGETS)
foreach (target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(sources ${target} SOURCES)
    if (sources MATCHES "arch/x86/cpu-feats.cpp")
        target_sources(${target} PRIVATE "${hooks}/cpu_score.c")
    endif()
    if (WIN32 AND type MATCHES "SHARED_LIBRARY|MODULE_LIBRARY|OBJECT_LIBRARY")
        target_compile_options(${target} PRIVATE -include "${hooks}/ggml_exports.h")
    endif()
    if (type MATCHES "SHARED_LIBRARY|MODULE_LIBRARY")
        set_property(TARGET ${target} PROPERTY VERSION)
        set_property(TARGET ${target} PROPERTY SOVERSION)
        list(APPEND LLAMAPACK_LIBRARIES ${target})
    endif()
endforeach()
