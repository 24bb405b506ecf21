// A process that is started before the sandbox closes, for the two things that a start still does after that.
// It opens one address, and writes new files where it was started: no other, no hidden ones.
#pragma once

#include <string>

// Starts it. `program` is this engine; unless it `writes`, helper_write() does. Without threads only: it is a fork where the system has them.
void helper_start(const std::string & program, const std::string & url, bool writes);

// Lets it open the address in a browser as soon as the server there answers. Without helper: nothing.
void helper_browse();

// Writes a new file. Returns what went wrong, or "".
std::string helper_write(const std::string & path, const std::string & text);

// In such a process, at the start of main() where it is no fork: true if it was one; then it should end.
bool helper_answer();
