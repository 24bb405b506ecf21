// Turns names of members in option values into paths that upstream can open.
#pragma once

#include "bundle.h"
#include "options.h"

// Replaces `/zip/NAME`, and a bare `NAME` that is no file but a member, in every option that takes
// a file. Throws user_error for a member that is not there, and for what a file that did not bring
// this engine names outside itself.
void members_resolve(options & opts, bundle & from);

// The same for a process that has the bundle too: every member in a `value` of `option` as `/zip/NAME`.
std::string members_name(const given_option & option, const std::string & value, bundle & from);

// The items of a list as upstream's parse_csv_row divides it: "a,b" in quotes is one item.
std::vector<std::string> members_list_items(const std::string & value);

// The member that `text` names, or "". What the bundle's own arguments name is the bundle's, whatever
// lies in the current directory; what the user names is the user's file where there is one.
std::string member_named(const std::string & text, bool is_default, const bundle & from);
