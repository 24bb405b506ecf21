"""Words of `.args`: the table of cases that every parser of them has to agree with."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.formats.args_file import merge, parse, quote

ENVIRONMENT = {"HOME": "/home/me", "TWO": "a b", "EMPTY": ""}

CASES: dict[str, list[str]] = {
    "": [],
    "  \n\t\r\n ": [],
    "-m\nx.gguf\n": ["-m", "x.gguf"],
    "-c 4096  --temp 0": ["-c", "4096", "--temp", "0"],
    "'a b' \"c d\"": ["a b", "c d"],
    "a'b c'\"d e\"f": ["ab cd ef"],
    "'' \"\"": ["", ""],
    r"a\ b \'c\' \"d\" \\ \$HOME \#e": ["a b", "'c'", '"d"', "\\", "$HOME", "#e"],
    r"'a\b' " + r'"a\"b\\c"': ["a\\b", 'a"b\\c'],
    "a # comment\nb": ["a", "b"],
    "#all\n#of it": [],
    "a#b c#": ["a#b", "c#"],
    "'#a' \"#b\"": ["#a", "#b"],
    "$HOME/x ${HOME}y \"$HOME\" '$HOME'": ["/home/me/x", "/home/mey", "/home/me", "$HOME"],
    '$TWO "${TWO}"': ["a b", "a b"],
    "$UNSET. [$EMPTY]": [".", "[]"],
    "$ $1 ${ ${1} a$": ["$", "$1", "${", "${1}", "a$"],
    "...": ["..."],
    "-m x ... --temp 0": ["-m", "x", "...", "--temp", "0"],
    "\u00e9\u4e2d '\U0001f999'": ["\u00e9\u4e2d", "\U0001f999"],
    "a\\": ["a\\"],
}


@pytest.mark.parametrize("text", CASES)
def test_words(text: str) -> None:
    assert parse(text, ENVIRONMENT) == CASES[text]


@pytest.mark.parametrize("text", ["\0", "a\0b", "'\0'", "# \0"])
def test_no_word_has_a_nul(text: str) -> None:
    with pytest.raises(InputError, match="NUL"):
        parse(text)


def test_variables_stay_as_they_are_written() -> None:
    assert parse("$A ${A} \"${A}b\" '${A}'") == ["$A", "${A}", "${A}b", "${A}"]


def test_a_long_word_is_taken_at_once() -> None:
    start = time.process_time()
    assert parse("x" * (16 << 20)) == ["x" * (16 << 20)]
    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", ["'", "a 'b", '"', 'a "b\\"', "'\"", "\"'"])
def test_open_quotes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="never closed") as caught:
        parse(text, {})
    assert caught.value.tip


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert parse("\n".join(map(quote, words)), ENVIRONMENT) == words


@given(st.text(st.sampled_from("ab '\"\\#$\n{}")))
def test_any_text_gives_words_or_a_refusal(text: str) -> None:
    try:
        words = parse(text, {})
    except InputError:
        return
    assert all(isinstance(word, str) for word in words)


@pytest.mark.parametrize(
    ("words", "merged"),
    [
        ([], ["u", "v"]),
        (["a", "b"], ["a", "b", "u", "v"]),
        (["a", "...", "b"], ["a", "u", "v", "b"]),
        (["...", "b"], ["u", "v", "b"]),
        (["a", "...", "b", "..."], ["a", "u", "v", "b"]),
    ],
)
def test_merge(words: list[str], merged: list[str]) -> None:
    assert merge(words, ["u", "v"]) == merged
