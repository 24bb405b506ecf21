// A ZIP archive that is open for reading: its file and its directory.
#pragma once

#include "zip_directory.h"

#include <cstdint>
#include <cstdio>
#include <string>

class archive {
  public:
    archive() = default;
    ~archive();

    archive(const archive &)             = delete;
    archive & operator=(const archive &) = delete;

    // Opens the file at `path` (UTF-8) in place of the one that was open. Returns nullptr, or what is
    // wrong as a static sentence fragment; then the file that was open stays so.
    const char * open(const std::string & path);

    bool                  is_open() const { return file != nullptr; }
    const zip_directory & directory() const { return entries; }

    // The last member of that name, or nullptr.
    const zip_member * find(const std::string & name) const;

    // `size` bytes at `offset`, or "" if they cannot be read.
    std::string bytes(uint64_t offset, uint64_t size) const;

  private:
    FILE *        file = nullptr;
    zip_directory entries{};
};
