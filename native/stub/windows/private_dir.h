// Directories that belong to one user: what mode 0700 is elsewhere.
#ifndef LLAMAPACK_STUB_PRIVATE_DIR_H
#define LLAMAPACK_STUB_PRIVATE_DIR_H

#include "../os.h"

// Creates a directory in which only this user, administrators and the system have rights. One that
// exists stays as it is.
int make_private_dir(const char * path);

// Returns NULL if nobody else can write into the directory, or why it is not to be trusted.
const char * check_private_dir(const char * path);

#endif
