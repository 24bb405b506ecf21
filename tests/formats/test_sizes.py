from __future__ import annotations

import argparse

import pytest

from packer.io.sizes import in_words, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50GB", 50_000_000_000),
        ("100MB", 100_000_000),
        ("100 mb", 100_000_000),
        ("1.9GiB", 2_040_109_465),
        ("64KiB", 65536),
        ("2TB", 2_000_000_000_000),
        ("700kB", 700_000),
        ("700b", 700),
        ("700000", 700_000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "0.4b", "50G", "1e9", "50GBs", "٥0GB "])
def test_no_sizes(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_size(text)


def test_in_words() -> None:
    assert [in_words(n) for n in (12, 1500, 2_000_000, 50_000_000_000)] == [
        "12 bytes",
        "1.5 kB",
        "2.0 MB",
        "50.0 GB",
    ]
