"""README's picture is the one that ci/picture.py draws."""

from __future__ import annotations

from ci.picture import PICTURE, draw


def test_the_picture_is_current() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(), "run `python -m ci.picture`"


def test_readme_shows_it() -> None:
    readme = (PICTURE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert "](docs/bundle.svg)" in readme
