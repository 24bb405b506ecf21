"""Which stub the script takes on which system, with programs that answer as that system's would."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_bundle import Place, broken_rules, needs, refused

from packer.head.head import HEAD_SIZE, NT_HEADERS, build_head

SYSTEMS = ("macos", "freebsd", "openbsd", "netbsd")
# Not busybox: it has a uname of its own.
SHELLS = ["bash", "dash", "zsh", "ksh93", "mksh", "yash"]
# What `uname -sm` and `uname -p` say.
HOSTS = [
    ("Darwin x86_64", "i386", "macos-x86_64"),
    ("Darwin arm64", "arm", "macos-aarch64"),
    ("FreeBSD amd64", "amd64", "freebsd-x86_64"),
    ("FreeBSD arm64", "aarch64", "freebsd-aarch64"),
    ("OpenBSD amd64", "amd64", "openbsd-x86_64"),
    ("OpenBSD arm64", "aarch64", "openbsd-aarch64"),
    ("NetBSD amd64", "x86_64", "netbsd-x86_64"),
    ("NetBSD evbarm", "aarch64", "netbsd-aarch64"),
]


def stand_in(target: str) -> bytes:
    """A program that says what it is; its size is not a multiple of anything."""
    text = (
        f'#!/bin/sh\n[ "$LLAMAPACK_PROBE" ] && exit 0\necho "stub {target} $LLAMAPACK_BUNDLE $*"\n'
    )
    return (text + f"exit 7 # {'x' * (61 + 70000 * target.startswith('macos'))}\n").encode()


@pytest.fixture(scope="session")
def unix_stubs(stubs: dict[str, bytes]) -> dict[str, bytes]:
    names = [f"{system}-{arch}" for system in SYSTEMS for arch in ("x86_64", "aarch64")]
    return {**stubs, **{name: stand_in(name) for name in names}}


@pytest.fixture
def all_targets(place: Place, unix_stubs: dict[str, bytes], windows_stub: bytes) -> Place:
    windows = {"windows-x86_64": windows_stub, "windows-aarch64": b""}
    return bundle_with(place, {**unix_stubs, **windows})


def bundle_with(place: Place, stubs: dict[str, bytes]) -> Place:
    place.bundle.write_bytes(build_head(stubs))
    return place


def pretend(place: Place, sm: str, p: str = "", *, arm64: str = "") -> str:
    """A PATH on which `uname` and `sysctl` answer as given."""
    folder = place.home / "bin"
    folder.mkdir(exist_ok=True)
    answers = f"case $1 in -p) echo '{p}' ;; *) echo '{sm}' ;; esac"
    for name, body in (("uname", answers), ("sysctl", f"echo {arm64}" if arm64 else "exit 1")):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{place.env['PATH']}"


@pytest.mark.parametrize(("sm", "p", "target"), HOSTS)
def test_each_system_gets_its_stub(
    all_targets: Place, unix_stubs: dict[str, bytes], sm: str, p: str, target: str
) -> None:
    path = pretend(all_targets, sm, p)
    for _ in "cold", "warm":
        done = all_targets.run("sh", all_targets.bundle, "a", "b c", PATH=path)
        want = f"stub {target} {all_targets.bundle} a b c\n"
        assert (done.returncode, done.stdout, done.stderr) == (7, want, "")
    cache = all_targets.home / ("Library/Caches" if sm.startswith("Darwin") else ".cache")
    [stub] = (cache / "llamapack" / "stubs").iterdir()
    # No padding: a signature of macOS forbids bytes behind it.
    assert stub.read_bytes() == unix_stubs[target]


@pytest.mark.parametrize("sm", ["Linux x86_64", "Linux amd64"])
def test_linux(all_targets: Place, sm: str) -> None:
    done = all_targets.run("sh", all_targets.bundle, PATH=pretend(all_targets, sm))
    refused(done, "not a whole bundle")


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_run_a_stub_of_another_system(
    place: Place, unix_stubs: dict[str, bytes], shell: str
) -> None:
    needs(shell)
    bundle_with(place, unix_stubs)
    done = place.run(shell, place.bundle, "a", PATH=pretend(place, "Darwin arm64"))
    assert done.stdout == f"stub macos-aarch64 {place.bundle} a\n"


def test_a_shell_under_rosetta_is_not_believed(all_targets: Place) -> None:
    done = all_targets.run(
        "sh", all_targets.bundle, PATH=pretend(all_targets, "Darwin x86_64", arm64="1")
    )
    assert done.stdout.startswith("stub macos-aarch64 ")


@pytest.mark.parametrize("arm64", ["", "1"])
def test_rosetta_runs_what_is_there(place: Place, unix_stubs: dict[str, bytes], arm64: str) -> None:
    bundle_with(place, {"macos-x86_64": unix_stubs["macos-x86_64"]})
    path = pretend(place, "Darwin x86_64" if arm64 else "Darwin arm64", arm64=arm64)
    assert place.run("sh", place.bundle, PATH=path).stdout.startswith("stub macos-x86_64 ")


def test_an_intel_mac_does_not_get_what_it_cannot_run(
    place: Place, unix_stubs: dict[str, bytes]
) -> None:
    bundle_with(place, {"macos-aarch64": unix_stubs["macos-aarch64"]})
    done = place.run("sh", place.bundle, PATH=pretend(place, "Darwin x86_64", arm64="0"))
    refused(done, "no engine for Darwin x86_64; it has: macos-aarch64")


@pytest.mark.parametrize("sm", ["MINGW64_NT-10.0-22631 x86_64", "CYGWIN_NT-10.0 x86_64"])
def test_shells_of_windows_are_told_what_to_do(all_targets: Place, sm: str) -> None:
    done = all_targets.run("sh", all_targets.bundle, PATH=pretend(all_targets, sm))
    refused(done, "Windows starts", str(all_targets.bundle))
    assert ".exe" in done.stderr


def test_windows_without_a_stub(place: Place, unix_stubs: dict[str, bytes]) -> None:
    bundle_with(place, {"openbsd-x86_64": unix_stubs["openbsd-x86_64"]})
    done = place.run("sh", place.bundle, PATH=pretend(place, "MSYS_NT-10.0 x86_64"))
    refused(done, "no engine for MSYS_NT-10.0 x86_64; it has: openbsd-x86_64")


@pytest.mark.parametrize(
    ("sm", "p"), [("NetBSD evbarm", "earmv7hf"), ("Linux riscv64", ""), ("SunOS i86pc", "")]
)
def test_other_machines_are_told_what_the_file_has(all_targets: Place, sm: str, p: str) -> None:
    done = all_targets.run("sh", all_targets.bundle, PATH=pretend(all_targets, sm, p))
    named = f"NetBSD {p}" if p else sm
    refused(done, f"no engine for {named}", "freebsd-aarch64", "windows-aarch64", "netbsd-x86_64")


def test_macos_without_a_cache_is_told_of_quarantine(
    place: Place, unix_stubs: dict[str, bytes]
) -> None:
    stub = unix_stubs["macos-aarch64"].replace(b"&& exit 0", b"&& exit 9")
    bundle_with(place, {"macos-aarch64": stub})
    path = pretend(place, "Darwin arm64")
    done = place.run("sh", place.bundle, PATH=path, LLAMAPACK_CACHE=str(place.home / "c"))
    refused(done, "no directory can hold the programs", str(place.home / "c"))
    assert "xattr -d com.apple.quarantine" in done.stderr


def test_a_stub_that_is_cut_off_is_damaged(place: Place, unix_stubs: dict[str, bytes]) -> None:
    bundle_with(place, {"macos-aarch64": unix_stubs["macos-aarch64"]})
    place.bundle.write_bytes(place.bundle.read_bytes()[: HEAD_SIZE + 40000])
    done = place.run("sh", place.bundle, PATH=pretend(place, "Darwin arm64"))
    refused(done, "is damaged")


def test_the_script_leaves_room(
    unix_stubs: dict[str, bytes], windows_stub: bytes, tmp_path: Path
) -> None:
    """Large stubs, so long numbers: the script for all targets still fits before the NT headers."""
    large = {name: data + bytes(10 << 20) for name, data in unix_stubs.items()}
    head = build_head({**large, "windows-x86_64": windows_stub, "windows-aarch64": b""})
    end = head.rindex(b"\nexit 1\n", 0, NT_HEADERS) + len("\nexit 1\n")
    assert end <= NT_HEADERS
    assert broken_rules(tmp_path, head) == []


def test_no_linux_among_the_targets(unix_stubs: dict[str, bytes], tmp_path: Path) -> None:
    head = build_head({"openbsd-x86_64": unix_stubs["openbsd-x86_64"]})
    assert broken_rules(tmp_path, head) == ["elf-present"]
