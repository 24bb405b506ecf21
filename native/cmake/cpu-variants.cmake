# The micro-architectures that get a CPU module of their own, next to the baseline `ggml-cpu`.
# Upstream's GGML_CPU_ALL_VARIANTS builds fourteen for x86; these are the steps that change speed.
# Runs at the end of ggml/src (see hooks/CheckCXXCompilerFlag.cmake).

if (GGML_SYSTEM_ARCH STREQUAL "x86")
    if (NOT APPLE)
        ggml_add_cpu_backend_variant(sandybridge    SSE42 AVX)
    endif()
    ggml_add_cpu_backend_variant(haswell            SSE42 AVX F16C FMA AVX2 BMI2)
    # No Mac has these, and on the BSDs a smaller file is worth more.
    if (CMAKE_SYSTEM_NAME MATCHES "Linux|Windows")
        ggml_add_cpu_backend_variant(alderlake      SSE42 AVX F16C FMA AVX2 BMI2 AVX_VNNI)
        ggml_add_cpu_backend_variant(cascadelake    SSE42 AVX F16C FMA AVX2 BMI2 AVX512 AVX512_VNNI)
        ggml_add_cpu_backend_variant(sapphirerapids SSE42 AVX F16C FMA AVX2 BMI2 AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16 AMX_TILE AMX_INT8)
    endif()
    if (NOT APPLE)
        ggml_add_cpu_backend_variant(zen4           SSE42 AVX F16C FMA AVX2 BMI2 AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16)
    endif()
elseif (GGML_SYSTEM_ARCH STREQUAL "ARM")
    # Upstream reads the features of an ARM variant only with this on; it is off until here so that
    # upstream's own list stays unbuilt. Its variants for SVE2 and SME are left out: of these only
    # KleidiAI makes use. zig's baseline for a Mac is the M1. On the BSDs ggml asks no CPU for its
    # features: baseline only.
    set(GGML_CPU_ALL_VARIANTS ON)
    if (APPLE)
        ggml_add_cpu_backend_variant(apple_m2_m3 DOTPROD MATMUL_INT8)
    elseif (CMAKE_SYSTEM_NAME MATCHES "Linux|Windows")
        ggml_add_cpu_backend_variant(armv8.2_2 DOTPROD FP16_VECTOR_ARITHMETIC)
        ggml_add_cpu_backend_variant(armv8.6_0 DOTPROD FP16_VECTOR_ARITHMETIC MATMUL_INT8)
    endif()
    if (CMAKE_SYSTEM_NAME STREQUAL "Linux")
        ggml_add_cpu_backend_variant(armv8.6_1 DOTPROD FP16_VECTOR_ARITHMETIC MATMUL_INT8 SVE)
    endif()

    # zig knows a CPU by its model and features, not by -march.
    if (APPLE)
        set(model "apple_m1")
    else()
        set(model "generic+v\\1_\\2a")
    endif()
    get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
    foreach (target ${targets})
        get_target_property(flags ${target} COMPILE_OPTIONS)
        if (flags MATCHES "-march=armv")
            string(REGEX REPLACE "-march=armv([0-9]+)[.]([0-9]+)-a" "-mcpu=${model}" flags "${flags}")
            string(REPLACE "+fp16" "+fullfp16" flags "${flags}")
            set_property(TARGET ${target} PROPERTY COMPILE_OPTIONS "${flags}")
        endif()
    endforeach()
endif()
