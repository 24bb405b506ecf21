"""What front matter is made of: the GGUF's metadata, licences, YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.metadata.card import systems
from packer.metadata.fields import FIELDS, general
from packer.metadata.front_matter import without, write
from packer.metadata.licenses import license_fields
from runtime.formats.gguf_header import Array, Header, Value


def header(**metadata: Value) -> Header:
    return Header(3, {key.replace("__", "."): value for key, value in metadata.items()}, [], 32, 0)


def test_metadata_of_a_gguf() -> None:
    found = general(
        header(
            general__name="Gemma  2\n2b",
            general__languages=Array(2, ("en", "de")),
            general__organization="Google",
            general__license="gemma",
            general__source__repo_url="https://huggingface.co/google/gemma-2-2b-it/tree/main",
            general__base_model__count=1,
            general__base_model__0__repo_url="https://huggingface.co/google/gemma-2-2b",
        )
    )
    assert found == {
        "title": "Gemma 2 2b",
        "language": ["en", "de"],
        "model_creator": "Google",
        "license": "gemma",
        "base_model": "google/gemma-2-2b-it",
        "base_model_relation": "quantized",
    }


@pytest.mark.parametrize(
    ("urls", "bases"),
    [
        (["https://huggingface.co/a/b"], "a/b"),
        (["https://huggingface.co/a/b", "https://hf.co/c/d"], ["a/b", "c/d"]),
        (["https://example.com/a/b", "no address", "http://[", ""], None),
        (["https://huggingface.co/a"], None),
    ],
)
def test_what_a_model_was_made_from_without_a_relation(urls: list[str], bases: object) -> None:
    metadata: dict[str, Value] = {"general.base_model.count": len(urls)}
    metadata |= {f"general.base_model.{n}.repo_url": url for n, url in enumerate(urls)}
    found = general(Header(3, metadata, [], 32, 0))
    assert found.get("base_model") == bases
    assert "base_model_relation" not in found


@pytest.mark.parametrize("count", [-1, 10**12, "x", Array(1, None)])
def test_odd_metadata_are_nothing(count: Any) -> None:
    odd = {f"general.{key}": count for key in ("base_model.count", "languages", "license", "name")}
    found = general(Header(3, odd, [], 32, 0))
    assert set(found) <= {"license", "title"}


@pytest.mark.parametrize(
    ("stated", "file", "expected"),
    [
        ({"license": "Apache-2.0"}, None, {"license": "apache-2.0"}),
        ({"license": "mit"}, "LICENSE", {"license": "mit", "license_link": "LICENSE"}),
        (
            {"license": "Qwen Research"},
            "LICENSE",
            {"license": "other", "license_name": "qwen-research", "license_link": "LICENSE"},
        ),
        (
            {"license": "other", "license_name": "x y", "license_link": "https://e.org/l"},
            "LICENSE",
            {"license": "other", "license_name": "x-y", "license_link": "https://e.org/l"},
        ),
        ({}, "LICENSE", {"license_link": "LICENSE"}),
        ({}, None, {}),
        ({"license": ["mit"]}, None, {"license": "mit"}),
        (
            {"license": ["mit", "gpl-3.0"]},
            None,
            {"license": "other", "license_name": "mit-or-gpl-3.0"},
        ),
    ],
)
def test_licences(stated: dict[str, Any], file: str | None, expected: dict[str, str]) -> None:
    assert license_fields(stated, file) == expected


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(st.characters(codec="utf-8"), min_size=1)))
def test_front_matter_reads_back(fields: dict[str, str]) -> None:
    text = write(fields)
    top, body = text.split("\n", 1)
    assert top == "---"
    assert body.endswith("---\n")
    assert (yaml.safe_load(body[:-4]) or {}) == fields
    assert list(yaml.safe_load(body[:-4]) or {}) == [name for name in FIELDS if name in fields]


@pytest.mark.parametrize(
    ("card", "body"),
    [
        ("---\na: 1\n---\n# T\n", "# T\n"),
        ("---\r\na: 1\r\n---\r\n\r\n# T\r\n", "\r\n# T\r\n"),
        ("# T\n---\nx\n---\n", "# T\n---\nx\n---\n"),
        ("---\nnever closed\n", "---\nnever closed\n"),
        ("---\n---\nx", "x\n"),
    ],
)
def test_cards_without_front_matter(card: str, body: str) -> None:
    assert without(card).replace("\r\n", "\n").strip() == body.replace("\r\n", "\n").strip()


def test_systems_of_targets() -> None:
    linux, macos = systems(["macos-aarch64", "linux-aarch64-static", "linux-x86_64", "plan9-x"])
    assert (linux.name, linux.architectures) == ("Linux", ("x86-64", "ARM64"))
    assert linux.floor == "glibc 2.17 or Linux 3.17"
    assert (macos.name, macos.architectures, macos.floor) == ("macOS", ("ARM64",), "macOS 13.0")
