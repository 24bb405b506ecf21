"""The checks take any bytes, and say what is wrong instead of failing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structure_samples import ZIG_TARGETS, Files, names

from packer.checks import check, check_module, check_stub
from packer.head.macho_signature import sign
from runtime.errors import InputError

Engines = Callable[[str], Files]

MAGIC = (b"", b"\x7fELF\x02\x01\x01", b"\xcf\xfa\xed\xfe", b"MZ")
ONE_OF_EACH = (
    "linux-x86_64",
    "freebsd-aarch64",
    "openbsd-x86_64",
    "macos-x86_64",
    "windows-x86_64",
)
RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("target", ZIG_TARGETS)
@given(magic=st.sampled_from(MAGIC), data=st.binary(max_size=400))
@RELAXED
def test_arbitrary_bytes_are_rejected(target: str, magic: bytes, data: bytes) -> None:
    base, module, program = names(target)
    assert check(target, {program: magic + data, base: data, module: magic + data})
    assert check_stub(target, magic + data)
    assert check_module(target, module, magic + data, magic + data)


@pytest.mark.parametrize("target", ONE_OF_EACH)
@given(data=st.data())
@RELAXED
def test_damaged_files_are_read_without_failing(
    target: str, data: st.DataObject, engines: Engines
) -> None:
    files = dict(engines(target))
    name = data.draw(st.sampled_from(sorted(files)))
    damaged = bytearray(files[name])
    # Headers are where a parser can be led astray.
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, min(len(damaged), 0x600) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    files[name] = bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    assert isinstance(check(target, files), list)


@given(magic=st.sampled_from(MAGIC), data=st.binary(max_size=400))
@RELAXED
def test_signing_arbitrary_bytes_is_refused(magic: bytes, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"Mach-O|cut off|no __TEXT"):
        sign(magic + data, "x")


@pytest.mark.parametrize(
    "target", ["plan9-x86_64", "linux", "macos-riscv64", "macos-x86_64-static"]
)
def test_a_target_without_rules_is_an_error(target: str) -> None:
    with pytest.raises(InputError, match="no structure rules"):
        check(target, {})


def test_an_engine_folder_is_read(tmp_path: Path, engines: Engines) -> None:
    for name, data in engines("linux-x86_64").items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "SHA256SUMS").write_text("")
    (tmp_path / "engine.json").write_text("{}")
    assert check("linux-x86_64", tmp_path) == []
    (tmp_path / "README").write_text("hello")
    assert check("linux-x86_64", tmp_path) != []
