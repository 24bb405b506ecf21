"""Sampling defaults: from cards and `generation_config.json` to options of llama.cpp."""

from __future__ import annotations

import argparse

import pytest

from packer.metadata.sampling import merged, pairs, recommended, setting


def test_card_before_generation_config() -> None:
    generation = {"temperature": 0.6, "top_k": 20, "do_sample": True, "stop_strings": ["x"]}
    card = {"inference": {"parameters": {"temperature": 0.7, "max_new_tokens": 200}}}
    assert recommended(generation, card) == {"temperature": 0.7, "top_k": 20, "stop": ["x"]}


@pytest.mark.parametrize(
    ("generation", "card"),
    [
        ({}, {}),
        ({"temperature": "hot", "top_k": 1.5, "top_p": True, "min_p": float("nan")}, {}),
        ({"temperature": 0.6, "do_sample": False}, {"inference": False}),
        ({"stop_strings": [1]}, {"inference": {"parameters": [1]}}),
        ({"stop_strings": ["\ud800"], "temperature": 10**400, "top_k": 1 << 40}, {}),
    ],
)
def test_nothing_to_recommend(generation: dict[str, object], card: dict[str, object]) -> None:
    assert recommended(generation, card) == {}


def test_options_in_a_fixed_order() -> None:
    found = merged({"top_k": 5, "stop": ["a"]}, [("temperature", 1), ("stop", ["b\\n"])])
    assert pairs(found) == [
        ("--temp", "1"),
        ("--top-k", "5"),
        ("--reverse-prompt", "a"),
        ("--reverse-prompt", "b\\\\n"),
    ]
    assert merged(found, [("none", None), ("min_p", 0.1)]) == {"min_p": 0.1}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("temperature=0", ("temperature", 0)),
        ("temperature=1e-1", ("temperature", 0.1)),
        ("stop=[INST]=", ("stop", ["[INST]="])),
        ("none", ("none", None)),
    ],
)
def test_words(word: str, expected: object) -> None:
    assert setting(word) == expected


@pytest.mark.parametrize("word", ["heat=1", "temperature=", "top_k=.5", "top_p=nan", "stop=", "x"])
def test_no_words(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        setting(word)
