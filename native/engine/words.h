// The words of a bundle's `.args` member. The rules stand in docs/bundle-format.md; the Python
// launcher has the same reader in runtime/formats/args_file.py.
#pragma once

#include <string>
#include <vector>

struct word {
    std::string text;
    bool        is_default; // from `.args`, not typed by the user
};

// Splits the text of an `.args` member. Throws user_error for a quote that is never closed,
// and for a NUL.
// `expand`: whether `$NAME` is replaced with what the environment says.
std::vector<std::string> words_parse(const std::string & text, bool expand = true);

// The words of `.args` with the user's in place of the word `...`, or behind them where there is none.
std::vector<word> words_merge(const std::vector<std::string> & defaults, const std::vector<std::string> & user);

// The user's words among these, without `count` words from `at` on.
std::vector<std::string> words_without(const std::vector<word> & words, size_t at, size_t count);
