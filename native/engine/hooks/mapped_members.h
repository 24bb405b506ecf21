// The members that are mapped now: what upstream takes for the whole container, and the part of it
// that is really there. Shared by the two systems' files of member_mmap.
#pragma once

#include <cstddef>
#include <cstdint>

struct mapped_member {
    uintptr_t base;  // what upstream was given as the start of the container
    uintptr_t begin; // first mapped byte
    uintptr_t end;   // just past the last mapped byte
};

void mapped_members_add(const mapped_member & member);

// Forgets a member whose mapped bytes all lie in [addr, addr + size).
void mapped_members_remove(uintptr_t addr, size_t size);

// Forgets the member whose base is `base` and stores it in *found. Returns false if there is none.
bool mapped_members_take(uintptr_t base, mapped_member * found);

// Narrows [addr, addr + size) to what is mapped. Leaves ranges of ordinary files as they are.
// Returns false if nothing is left.
bool mapped_members_narrow(uintptr_t & addr, size_t & size);
