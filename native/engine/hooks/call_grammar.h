// How many calls of tools the answers of this thread's requests may have.
#pragma once

// One, or as many as the model makes, from now on.
void call_grammar_set_once(bool is_once);
