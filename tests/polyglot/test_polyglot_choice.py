"""Which engine starts, and what a damaged bundle says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from small_bundle import (
    INTERPRETER,
    Place,
    Programs,
    expect,
    fake_uname,
    linux_only,
    needs,
    private_mounts,
    refused,
    write_bundle,
)

pytestmark = linux_only


def test_an_engine_that_does_not_start_gives_way_to_the_static_one(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]], programs: Programs
) -> None:
    if not INTERPRETER.exists():
        pytest.skip("this machine has no glibc")
    engines["linux-x86_64"]["llamapack-engine"] = programs.engine("linux-x86_64-refuses")
    write_bundle(place.bundle, head, engines)
    for _ in "cold", "warm":
        expect(place.run("sh", place.bundle), place.bundle, "static")
    [verdict] = (place.cache / "engines").glob("*.fails-*")
    before = verdict.stat().st_ctime_ns
    place.run("sh", place.bundle)
    assert verdict.stat().st_ctime_ns == before
    # Another interpreter, another trial.
    verdict.rename(verdict.with_name(verdict.name.rpartition(".fails-")[0] + ".fails-1-1"))
    expect(place.run("sh", place.bundle), place.bundle, "static")
    assert len(list((place.cache / "engines").glob("*.fails-*"))) == 2


def test_without_glibc(place: Place, stub: Path) -> None:
    """Only the stub: shell and tools of this machine are gone with its glibc."""
    done = private_mounts(
        place,
        f"""mkdir "$HOME/empty"; mount --bind "$HOME/empty" {INTERPRETER.parent}
        LLAMAPACK_BUNDLE="$1" exec {stub}""",
    )
    expect(done, place.bundle, "static")


def test_no_engine_for_this_machine(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    write_bundle(place.bundle, head, {"linux-aarch64-static": engines["linux-aarch64-static"]})
    refused(place.run("sh", place.bundle), "linux-aarch64-static", str(place.bundle))


def test_a_cpu_that_the_static_engine_cannot_use(
    place: Place, stub: Path, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    needs("qemu-x86_64-static")
    write_bundle(place.bundle, head, {"linux-x86_64-static": engines["linux-x86_64-static"]})
    done = place.run(
        "qemu-x86_64-static", "-cpu", "Nehalem", stub, LLAMAPACK_BUNDLE=str(place.bundle)
    )
    refused(done, "linux-x86_64-static", "AVX2")


def test_a_system_without_a_stub(place: Place) -> None:
    done = place.run("sh", place.bundle, PATH=fake_uname(place, "OSF1 alpha"))
    refused(done, "OSF1 alpha", "linux-aarch64, linux-x86_64")


def test_a_path_without_tools(place: Place) -> None:
    done = place.run(str(shutil.which("sh")), place.bundle, PATH="/nonexistent")
    lines = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "TIP"))]
    assert done.returncode == 1
    assert "`uname` is not in PATH" in lines[0]
    assert "PATH" in lines[1]


def flip(place: Place, at: int) -> None:
    data = bytearray(place.bundle.read_bytes())
    data[at] ^= 0x55
    place.bundle.write_bytes(data)


def test_damaged_stub(place: Place) -> None:
    flip(place, 2 * 65536 + 5000)
    refused(place.run("sh", place.bundle), str(place.bundle), "stub")
    assert not list(place.cache.rglob("*") if place.cache.exists() else []) or not list(
        (place.cache / "stubs").iterdir()
    )


@pytest.mark.parametrize("name", ["llamapack-engine", "libx.so"])
def test_damaged_member(place: Place, name: str, glibc: str) -> None:
    target = "linux-x86_64" if glibc == "glibc" else "linux-x86_64-static"
    data = place.bundle.read_bytes()
    flip(place, data.index(f"engines/{target}/{name}".encode()) + 100)
    refused(place.run("sh", place.bundle), str(place.bundle), f"engines/{target}/{name}")
    assert not [p for p in place.cache.rglob("*") if p.name.startswith(("linux", "."))]


def test_a_member_that_is_not_what_sha256sums_says(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]], glibc: str
) -> None:
    target = "linux-x86_64" if glibc == "glibc" else "linux-x86_64-static"
    write_bundle(place.bundle, head, engines)
    data = place.bundle.read_bytes()
    sums = data.index(b"llamapack-engine\n", data.index(f"{target}/SHA256SUMS".encode()))
    digit = sums - 10
    broken = bytearray(data)
    broken[digit] = ord("0") if data[digit] != ord("0") else ord("1")
    place.bundle.write_bytes(broken)
    # The CRC of SHA256SUMS itself is the first to notice.
    refused(place.run("sh", place.bundle), f"engines/{target}/SHA256SUMS: its CRC-32 differs")


@pytest.mark.parametrize("part", [0.99, 0.9])
def test_cut_off(place: Place, part: float) -> None:
    os.truncate(place.bundle, int(place.bundle.stat().st_size * part))
    refused(place.run("sh", place.bundle), str(place.bundle), "not a whole bundle")


def test_bytes_after_the_zip(place: Place, glibc: str) -> None:
    with place.bundle.open("ab") as file:
        file.write(b"signature" * 1000)
    expect(place.run("sh", place.bundle), place.bundle, glibc)
