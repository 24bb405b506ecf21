# CMake reads this within llama.cpp's own description, which stays as it is: its 150 files of models
# all read the same headers, and take less than half the time if a dozen are compiled as one. They are
# dealt out like cards, since neighbours in the alphabet define helpers of the same name.
function(compile_models_together)
    set(folder "${CMAKE_SOURCE_DIR}/src")
    file(GLOB sources "${folder}/models/*.cpp")
    set(number 0)
    foreach (source ${sources})
        math(EXPR group "${number} % 12")
        math(EXPR number "${number} + 1")
        set_source_files_properties("${source}" DIRECTORY "${folder}" PROPERTIES UNITY_GROUP "models-${group}")
    endforeach()
    set_target_properties(llama PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

cmake_language(DEFER CALL compile_models_together)
