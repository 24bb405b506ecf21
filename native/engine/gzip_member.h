// A member of an archive as a gzip stream (RFC 1952), which browsers take as it is: a deflated member
// needs only another frame around the same bytes.
#pragma once

#include "archive.h"

// Returns "" if the member cannot be read, is encrypted, of another method, or 4 GiB or larger.
std::string gzip_member(const archive & from, const zip_member & member);

// What such a stream holds; "" if its data are damaged.
std::string gzip_plain(const void * stream, size_t size);
