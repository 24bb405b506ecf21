"""What is said of licences that bind whoever gets the weights."""

from __future__ import annotations

import pytest

from packer.engines.license_files import license_files
from packer.metadata.licenses import warning

PAGE = "https://hub.example/org/repo"


@pytest.mark.parametrize("license_", ["apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0"])
def test_open_licences_need_no_words(license_: str) -> None:
    assert warning({"license": license_}, None, PAGE, gated=False) is None
    assert warning({}, license_, None, gated=False) is None


@pytest.mark.parametrize(
    ("license_", "terms", "link"),
    [
        ("gemma", "terms of use", "https://ai.google.dev/gemma/terms"),
        ("cc-by-nc-4.0", "not for commercial use", "https://creativecommons.org/licenses/by-nc/4.0/"),
        ("cc-by-nc-sa-3.0", "not for commercial", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("llama2", "terms of use", "/models/llama2/LICENSE"),
        ("llama3.2", "terms of use", "/models/llama3_2/LICENSE"),
        ("openrail", "restrictions", PAGE),
        ("other", "terms of its own", PAGE),
        ("grok2-community", "terms of use", PAGE),
        ("h-research", "terms of its own", PAGE),
    ],
)  # fmt: skip
def test_terms_with_a_link(license_: str, terms: str, link: str) -> None:
    for card, stated in (({"license": license_}, "mit"), ({}, license_)):
        line = warning(card, stated, PAGE, gated=False)
        assert line
        assert terms in line
        assert line.endswith(link)


def test_the_card_names_a_licence_of_its_own() -> None:
    card = {"license": "other", "license_name": "qwen", "license_link": "https://x.example/LICENSE"}
    line = warning(card, None, PAGE, gated=False)
    assert line == (
        "licence of the weights: qwen, with terms of its own; see https://x.example/LICENSE"
    )
    line = warning({**card, "license_link": "LICENSE"}, None, PAGE, gated=False)
    assert line
    assert line.endswith(f"{PAGE}/blob/main/LICENSE")


def test_gated() -> None:
    line = warning({"license": "mit"}, None, PAGE, gated=True)
    assert line == f"licence of the weights: mit, and its repository is gated; see {PAGE}"
    assert warning({"extra_gated_prompt": "Agree."}, None, None, gated=False)


def test_one_of_several() -> None:
    line = warning({"license": ["mit", "gemma"]}, None, None, gated=False)
    assert line
    assert "gemma" in line


def test_files() -> None:
    files = ["LICENSE", "LICENCE.md", "license.txt", "Notice", "USE_POLICY.md", "README.md",
             "sub/LICENSE", "my-license"]  # fmt: skip
    assert license_files(files) == [
        "LICENCE.md",
        "LICENSE",
        "Notice",
        "USE_POLICY.md",
        "license.txt",
    ]
