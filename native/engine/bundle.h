// The bundle that this engine was started from, or that `-m` names: its members, and how upstream's
// code gets to open them.
#pragma once

#include "archive.h"
#include "zip_extract.h"

#include <string>
#include <vector>

class bundle {
  public:
    // Opens the archive at `path` (UTF-8) and lets `/zip/NAME` stand for its stored members.
    // Throws user_error if it cannot be read.
    void open(const std::string & path);

    bool                is_open() const { return file.is_open(); }
    const std::string & path() const { return container; }

    // True if the file ends in a ZIP directory, so that open() would accept it.
    static bool is_archive(const std::string & path);

    bool has(const std::string & name) const;

    // States that another bundle brought this engine, so that the text of this one is data.
    // `engine` has to outlive it.
    void set_engine(const bundle & engine) { brought = &engine; }

    // Whether a member with arguments speaks for this start: in the bundle that brought this engine, or
    // with the same text there, as in the NAME.exe and NAME.llamafile of one packing.
    bool is_trusted(const std::string & name) const;

    // The contents of a member of at most 64 MiB. Throws user_error if there is none or it is damaged.
    std::string read(const std::string & name) const;

    // Bytes of a member's contents; 0 if there is none.
    uint64_t size(const std::string & name) const;

    // Streams a member to `write`. Throws user_error if there is none, it is damaged or `write` fails.
    void extract(const std::string & name, zip_sink write, void * sink) const;

    // The names of all members that begin with `prefix`, each once.
    std::vector<std::string> names(const std::string & prefix) const;

    // The stored *.gguf members, in the order of the archive.
    std::vector<std::string> weights() const;

    // Throws user_error for weights that do not begin on a multiple of 32 bytes: upstream's reader
    // rounds places in the file, not in the member, and would make garbage of them.
    void check_place(const std::string & name) const;

    // A path of the real file system that reads as the member, for readers that go past ggml_fopen:
    // the bundle itself under another spelling, which ggml_fopen takes for the member. No copy.
    std::string alias(const std::string & name);

    // A file with the contents of a small member, removed at exit by temporary_files_remove().
    std::string materialize(const std::string & name) const;

  private:
    archive     file;
    std::string container;
    int         aliases = 0;

    const bundle * brought = nullptr;

    const zip_member & member(const std::string & name) const;

    // Where a member's contents begin in the file. Throws user_error if it is damaged there.
    uint64_t offset(const zip_member & member) const;
};
