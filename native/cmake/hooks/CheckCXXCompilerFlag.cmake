# ggml/src includes this module before anything else. CMake looks into CMAKE_MODULE_PATH first, so
# this file is the one place from which code can be scheduled to run inside that directory, with
# its functions and variables, while upstream's file stays as it is.
include("${CMAKE_ROOT}/Modules/CheckCXXCompilerFlag.cmake")

if (CMAKE_CURRENT_SOURCE_DIR STREQUAL "${LLAMA_SOURCE}/ggml/src" AND NOT LLAMAPACK_STATIC)
    cmake_language(DEFER CALL include "${LLAMAPACK_CMAKE}/cpu-variants.cmake")
endif()
