#include "mapped_members.h"

#include <algorithm>
#include <mutex>
#include <vector>

static std::mutex                 members_mutex;
static std::vector<mapped_member> members;

void mapped_members_add(const mapped_member & member) {
    std::lock_guard<std::mutex> lock(members_mutex);
    members.push_back(member);
}

void mapped_members_remove(uintptr_t addr, size_t size) {
    std::lock_guard<std::mutex> lock(members_mutex);
    members.erase(std::remove_if(members.begin(), members.end(), [&](const mapped_member & m) {
        return addr <= m.begin && addr + size >= m.end;
    }), members.end());
}

bool mapped_members_take(uintptr_t base, mapped_member * found) {
    std::lock_guard<std::mutex> lock(members_mutex);
    for (size_t i = 0; i < members.size(); i++) {
        if (members[i].base == base) {
            *found = members[i];
            members.erase(members.begin() + (ptrdiff_t) i);
            return true;
        }
    }
    return false;
}

bool mapped_members_narrow(uintptr_t & addr, size_t & size) {
    std::lock_guard<std::mutex> lock(members_mutex);
    for (const auto & m : members) {
        if (addr >= m.base && addr < m.end) {
            const uintptr_t begin = std::max(addr, m.begin);
            const uintptr_t end   = std::min(addr + size, m.end);
            if (begin >= end) {
                return false;
            }
            addr = begin;
            size = end - begin;
            return true;
        }
    }
    return true;
}
