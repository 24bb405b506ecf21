// The card that this machine has, in the words of its compiler.
#pragma once

#include <string>
#include <vector>

// What `kind`'s compiler calls the architecture of the first card here, such as "sm_90" or "gfx1100";
// "" if there is none. LLAMAPACK_GPU_ARCHITECTURE says it where the machine that builds has no card.
// `folders` hold the toolkit's programs besides PATH.
std::string gpu_card_architecture(const std::string & kind, const std::vector<std::string> & folders);
