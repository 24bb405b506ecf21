#pragma once

#include <string>

// Prints the manual: our flags first, then upstream's. `name` is the file's name, for the examples.
void help_print(const std::string & name);
