"""`.args` in its two parts: what llamapack keeps, and what the user says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.bundle.args import LORA, MMPROJ, Args
from packer.bundle.models_ini import ModelSection
from runtime.formats.args_file import parse, quote

MEMBERS = {"m.gguf", "it's one.gguf", "eyes.gguf", "l 1.gguf", "d.gguf", "chat_template.jinja"}
WORDS = st.lists(st.sampled_from(["-c", "4096", "...", "a b", "", "#", "$HOME", "-m", "'"]))


@given(
    model=st.sampled_from(["m.gguf", "it's one.gguf"]),
    mmproj=st.sampled_from([None, "eyes.gguf"]),
    template=st.booleans(),
    before=WORDS,
    after=WORDS,
)
def test_the_user_s_part_is_replaced_and_nothing_else(
    model: str, mmproj: str | None, template: bool, before: list[str], after: list[str]
) -> None:
    def written(words: list[str]) -> str:
        first = ModelSection("", model, mmproj)
        args = Args.of(first, several=False, template=template, defaults=[])
        args.put_own(" ".join(map(quote, words)))
        return args.text

    args = Args.parsed(written(before), MEMBERS)
    assert args.text == written(before)
    args.put_own(" ".join(map(quote, after)))
    assert args.text == written(after)


@given(WORDS)
def test_any_text_keeps_its_words(words: list[str]) -> None:
    text = " ".join(map(quote, words))
    assert parse(Args.parsed(text, MEMBERS).text, {}) == parse(text, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "--new\n"),
        ("-c 256\n", "--new\n"),
        ("-c\n256\n--temp\n0\n", "-c\n256\n--temp\n0\n--new\n"),
        ("--top-k\n3\n-n 5\n", "--top-k\n3\n--new\n"),
        ("--top-k\n3\n--temp\n1\n", "--top-k\n3\n--new\n"),
        ("-c\n...\n", "--new\n"),
    ],
)
def test_new_words_leave_the_defaults(text: str, expected: str) -> None:
    args = Args.parsed(text, MEMBERS)
    args.put_own("--new")
    assert args.text == expected


def test_as_others_write_it() -> None:
    text = "-m m.gguf --mmproj /zip/eyes.gguf -c 0 # all of it\n..."
    args = Args.parsed(text, MEMBERS)
    assert args.pairs == [("-m", "m.gguf"), ("--mmproj", "/zip/eyes.gguf")]
    assert args.own == "-c 0 # all of it\n..."
    # What is no member of the file is the user's.
    assert Args.parsed("-m /models/m.gguf", MEMBERS).pairs == []


def test_members_come_and_go() -> None:
    text = (
        "-m\nm.gguf\n--lora-scaled\n'l 1.gguf:0.5'\n-md\nd.gguf\n--spec-type\ndraft-simple\n"
        "--chat-template-file\n/zip/chat_template.jinja\n-c 9\n"
    )
    args = Args.parsed(text, MEMBERS)
    assert (args.text, args.own) == (text, "-c 9\n")
    args.put(MMPROJ, "eyes.gguf")
    args.put(LORA, "other.gguf")
    args.drop_members(["l 1.gguf", "d.gguf", "m.gguf"])
    args.ensure_model(["it's one.gguf", "second.gguf"])
    args.set_template(False)
    assert parse(args.text, {}) == [
        "-m", "it's one.gguf", "--mmproj", "eyes.gguf", "--lora", "other.gguf", "-c", "9",
    ]  # fmt: skip
    args.own = "--model elsewhere.gguf"
    args.drop_members(["it's one.gguf"])
    args.ensure_model(["second.gguf"])
    assert parse(args.text, {})[-2:] == ["--model", "elsewhere.gguf"]
    assert "second.gguf" not in args.text
