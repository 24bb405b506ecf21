from __future__ import annotations

from pathlib import Path

import pytest

from packer.engines import native, pins
from runtime.errors import InputError


def test_the_repository_pins_whole_hashes() -> None:
    lengths = {"gitCommit": 20, "sha256": 32, "sha512": 64}
    digests = pins.load(native.directory()).source.digest
    assert digests
    for algorithm, digest in digests.items():
        assert len(bytes.fromhex(digest)) == lengths[algorithm]


def test_the_pinned_zig_is_the_one_that_pip_installs() -> None:
    project = native.directory().parent / "pyproject.toml"
    assert f'"ziglang=={pins.load(native.directory()).zig}"' in project.read_text()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('release = "v0.4.0"', "", "`release` is missing in section [llama-cpp]"),
        ("build_number = 0", 'build_number = "0"', "`build_number` must be of type int"),
        ('zig = "0.17.0"', 'zig = "0.17.0"\ngcc = "1"', "unknown pin `gcc` in section [toolchain]"),
        ('kind = "npm"', "", "`kind` in section [source] must be one of npm, pypi, git"),
        ('kind = "npm"', 'kind = "pypi"', "`sha256` is missing in section [source]"),
        ('kind = "npm"', 'kind = "npm"\nurl = "x"', "unknown pin `url` in section [source]"),
        ("[toolchain]", "[tools]\n[toolchain]", "unknown section [tools]"),
        ("[toolchain]", "[toolchain", "pins.toml"),
    ],
)
def test_a_wrong_pin_is_named(small_native: Path, old: str, new: str, reason: str) -> None:
    path = small_native / "pins.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        pins.load(small_native)
    assert str(path) in caught.value.message
    assert reason in caught.value.message
