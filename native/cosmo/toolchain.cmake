# A CMake toolchain of Cosmopolitan's compiler and archiver for one architecture.
#
# COSMO_ARCH                     x86_64 or aarch64
# COSMO_CC, COSMO_CXX, COSMO_AR  <arch>-unknown-cosmo-cc, -c++, -ar
# COSMO_HOST_CC, COSMO_HOST_CXX  cosmocc, cosmoc++: what they make runs on any machine

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES
    COSMO_ARCH COSMO_CC COSMO_CXX COSMO_AR COSMO_HOST_CC COSMO_HOST_CXX)

# CMake does not know this system: Platform/Cosmopolitan.cmake describes it.
set(CMAKE_SYSTEM_NAME      Cosmopolitan)
set(CMAKE_SYSTEM_PROCESSOR "${COSMO_ARCH}")
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")

set(CMAKE_C_COMPILER   "${COSMO_CC}")
set(CMAKE_CXX_COMPILER "${COSMO_CXX}")
set(CMAKE_ASM_COMPILER "${COSMO_CC}")
set(CMAKE_AR           "${COSMO_AR}" CACHE FILEPATH "" FORCE)

# cosmoc++ turns both off unless it is told otherwise.
set(CMAKE_CXX_FLAGS_INIT "-fexceptions -frtti")

# Where a project compiles programs that it runs during the build, as llama.cpp does.
set(HOST_C_COMPILER   "${COSMO_HOST_CC}"  CACHE FILEPATH "" FORCE)
set(HOST_CXX_COMPILER "${COSMO_HOST_CXX}" CACHE FILEPATH "" FORCE)

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
