# Cosmopolitan, for CMake: a Unix without shared libraries.

set(UNIX 1)
set(CMAKE_EXECUTABLE_SUFFIX "")
set(CMAKE_DL_LIBS "")
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)

# cosmocc has no ranlib for one architecture; ar writes the index itself.
foreach (language C CXX ASM)
    set(CMAKE_${language}_ARCHIVE_CREATE "<CMAKE_AR> rcsD <TARGET> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_APPEND "<CMAKE_AR> rsD <TARGET> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_FINISH "")
endforeach()
