// Prints the words of an `.args` on stdin, merged with those of the user in argv, each with a NUL behind it.

#include "user_error.h"
#include "words.h"

#include <cstdio>

int main(int argc, char ** argv) {
    std::string text;
    for (int byte; (byte = getchar()) != EOF;) {
        text += (char) byte;
    }
    try {
        for (const auto & word : words_merge(words_parse(text), { argv + 1, argv + argc })) {
            fwrite(word.text.c_str(), 1, word.text.size() + 1, stdout);
        }
    } catch (const user_error &) {
        return 1;
    }
}
