# CMake reads this within llama.cpp's own description, which stays as it is: the header that its
# 150 files of models begin with, and that takes most of their time, is parsed once for all.
function(parse_header_of_models_once)
    file(GLOB others "${CMAKE_SOURCE_DIR}/src/*.cpp")
    set_source_files_properties(${others} DIRECTORY "${CMAKE_SOURCE_DIR}/src"
        PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    target_precompile_headers(llama PRIVATE "${CMAKE_SOURCE_DIR}/src/models/models.h")
endfunction()

cmake_language(DEFER CALL parse_header_of_models_once)
