"""Files that do not start, each for one reason."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
from made_up import (
    MZ_HEAD,
    UNIX_HEAD,
    add_archive,
    bundle,
    commands,
    found,
    in_private_mounts,
    machine,
    only,
    program,
    write,
)

from runtime.doctor import bundle_file, file_place
from runtime.machine.head import Kind, kind_of, native_target

GIB = 1 << 30


def elf(machine_number: int, system: int = 0) -> bytes:
    return b"\x7fELF\2\1\1" + bytes([system]) + bytes(10) + struct.pack("<H", machine_number)


def pe(machine_number: int) -> bytes:
    return (b"MZ".ljust(0x3C) + struct.pack("<I", 0x80)).ljust(0x80, b"\0") + struct.pack(
        "<4sH", b"PE\0\0", machine_number
    )


def macho(cpu: int) -> bytes:
    return struct.pack("<II", 0xFEEDFACF, cpu)


@pytest.mark.parametrize(
    ("head", "kind", "target"),
    [
        (MZ_HEAD, Kind.APE_WINDOWS, None),
        (UNIX_HEAD, Kind.APE_UNIX, None),
        (elf(62), Kind.ELF, "linux-x86_64"),
        (elf(183), Kind.ELF, "linux-aarch64"),
        (elf(62, 9), Kind.ELF, "freebsd-x86_64"),
        (elf(8), Kind.ELF, None),
        (b"\x7fELF", Kind.ELF, None),
        (pe(0x8664), Kind.PE, "windows-x86_64"),
        (pe(0xAA64), Kind.PE, "windows-aarch64"),
        (b"MZ", Kind.PE, None),
        (macho(0x01000007), Kind.MACHO, "macos-x86_64"),
        (macho(0x0100000C), Kind.MACHO, "macos-aarch64"),
        (b"GGUF\3", Kind.GGUF, None),
        (b"PK\3\4", Kind.ZIP, None),
        (b"", Kind.OTHER, None),
    ],
)
def test_heads(head: bytes, kind: Kind, target: str | None) -> None:
    assert (kind_of(head), native_target(head)) == (kind, target)


@pytest.mark.parametrize(
    ("head", "on", "state"),
    [
        (MZ_HEAD, "linux-x86_64", "ok"),
        (MZ_HEAD, "windows-x86_64", "ok"),
        (UNIX_HEAD, "macos-aarch64", "ok"),
        (UNIX_HEAD, "windows-x86_64", "problem"),
        (elf(62), "linux-x86_64", "ok"),
        (elf(62), "linux-aarch64", "problem"),
        (elf(62), "macos-x86_64", "problem"),
        (elf(8), "linux-x86_64", "note"),
        (macho(0x01000007), "macos-aarch64", "note"),
        (macho(0x0100000C), "macos-x86_64", "problem"),
        (pe(0x8664), "windows-x86_64", "ok"),
        (pe(0x8664), "linux-x86_64", "problem"),
        (b"GGUF", "linux-x86_64", "problem"),
        (b"PK\3\4", "linux-x86_64", "problem"),
        (b"<html>", "linux-x86_64", "problem"),
        (b"", "linux-x86_64", "problem"),
    ],
)
def test_programs_for_other_systems(head: bytes, on: str, state: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(head)
    assert only(bundle_file.head, machine(tmp_path, on), file).state == state


def test_what_to_start_instead(tmp_path: Path) -> None:
    on = machine(tmp_path)
    exe, whole = tmp_path / "m.exe", bundle(tmp_path / "m.llamafile")
    exe.write_bytes(pe(0x8664))
    assert commands(only(bundle_file.head, on, exe).mend) == [f"sh {whole}"]
    weights = tmp_path / "m 1.gguf"
    weights.write_bytes(b"GGUF")
    assert f"llamapack pack '{weights}'" in commands(only(bundle_file.head, on, weights).mend)


@pytest.mark.parametrize("name", ["m.llamafile.cat0", "m.cat0.llamafile"])
def test_parts_are_joined_by_the_command_that_it_says(name: str, tmp_path: Path) -> None:
    whole = bundle(tmp_path / "whole")
    data = whole.read_bytes()
    for number in range(3):
        part = tmp_path / name.replace("cat0", f"cat{number}")
        part.write_bytes(data[number * 700 : (number + 1) * 700 if number < 2 else None])
    finding = only(bundle_file.directory, machine(tmp_path), tmp_path / name)
    assert finding.state == "problem"
    os.system(commands(finding.mend)[0])
    assert (tmp_path / "m.llamafile").read_bytes() == data


def test_whose_file_it_is(tmp_path: Path) -> None:
    on = machine(tmp_path)
    assert only(bundle_file.directory, on, bundle(tmp_path / "own")).state == "ok"
    edited = bundle(tmp_path / "edited", made_by="")
    assert "edited" in only(bundle_file.directory, on, edited).what
    foreign = bundle(tmp_path / "foreign", MZ_HEAD, [], made_by="")
    finding = only(bundle_file.directory, on, foreign)
    assert (finding.state, "another tool" in finding.what) == ("note", True)
    assert found(bundle_file.engines, on, foreign) == found(bundle_file.weights, on, foreign) == []


def test_cut_off(tmp_path: Path) -> None:
    file = bundle(tmp_path / "m.llamafile")
    os.truncate(file, file.stat().st_size - 30)
    finding = only(bundle_file.directory, machine(tmp_path), file)
    assert finding.state == "problem"
    assert "cut off" in finding.mend


@pytest.mark.parametrize(
    ("on", "targets", "state", "mend"),
    [
        ("linux-x86_64", "linux-x86_64", "ok", ""),
        ("linux-x86_64", "linux-x86_64-static", "ok", ""),
        ("linux-aarch64", "linux-x86_64", "problem", "--targets linux-aarch64"),
        ("macos-aarch64", "macos-x86_64", "problem", "softwareupdate --install-rosetta"),
        ("windows-aarch64", "windows-x86_64", "note", ""),
        ("freebsd-x86_64", "linux-x86_64", "problem", "--targets freebsd-x86_64"),
    ],
)
def test_engines_for_other_machines(
    on: str, targets: str, state: str, mend: str, tmp_path: Path
) -> None:
    file = bundle(tmp_path / "m", targets=[targets])
    finding = only(bundle_file.engines, machine(tmp_path, on), file)
    assert finding.state == state
    assert mend in finding.mend


def test_rosetta(tmp_path: Path) -> None:
    on, file = machine(tmp_path, "macos-aarch64"), bundle(tmp_path / "m", targets=["macos-x86_64"])
    write(on.root / "Library/Apple/usr/share/rosetta/rosetta")
    assert only(bundle_file.engines, on, file).state == "note"


def test_weights(tmp_path: Path) -> None:
    on = machine(tmp_path)
    assert found(bundle_file.weights, on, bundle(tmp_path / "m")) == []
    file = bundle(tmp_path / "m.exe", weights=False)
    assert commands(only(bundle_file.weights, on, file).mend) == [f"{file} -m FILE"]
    write(tmp_path / "m.gguf")
    assert only(bundle_file.weights, on, file).state == "ok"
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed.gguf", bytes(9))
    assert commands(only(bundle_file.weights, on, file).mend) == [f"llamapack upgrade {file}"]


def test_the_right_to_be_executed(tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    assert only(bundle_file.executable, on, file).state == "ok"
    file.chmod(0o644)
    finding = only(bundle_file.executable, on, file)
    assert finding.state == "problem"
    os.system(commands(finding.mend)[0])
    assert only(bundle_file.executable, on, file).state == "ok"
    assert found(bundle_file.executable, machine(tmp_path, "windows-x86_64"), file) == []


def test_a_real_file_system_without_programs(tmp_path: Path) -> None:
    file = bundle(tmp_path / "m.llamafile")
    place = tmp_path / "place"
    place.mkdir()
    script = f"""mount -t tmpfs -o noexec none {place} || exit 77
    cp -p {file} {place}/
    {place}/m.llamafile >&2 2>/dev/null && exit 1
    doctor {place}/m.llamafile"""
    report = json.loads(in_private_mounts(tmp_path, script + " || true"))
    [finding] = [f for f in report if f["check"] == "noexec"]
    assert finding["state"] == "problem"
    by_shell, remount = commands(finding["mend"])
    out = in_private_mounts(
        tmp_path, f"{script} >out || true\n{by_shell}\n{remount}\ndoctor {file}"
    )
    started, _, report = out.partition("\n")
    assert started == "started by a shell"
    assert "problem" not in {f["state"] for f in json.loads(report) if f["check"] == "noexec"}


def sparse(path: Path, size: int, head: bytes) -> Path:
    """A bundle whose archive begins after `size` bytes of which nearly all are a hole."""
    path.write_bytes(head)
    os.truncate(path, size)
    add_archive(path, ["linux-x86_64"])
    return path


@pytest.mark.parametrize("head", [MZ_HEAD, pe(0x8664)])
def test_four_gigabytes(head: bytes, tmp_path: Path) -> None:
    file = sparse(tmp_path / "m.llamafile", 4 * GIB, head)
    assert only(file_place.windows_size, machine(tmp_path), file).state == "note"
    finding = only(file_place.windows_size, machine(tmp_path, "windows-x86_64"), file)
    assert finding.state == "problem"
    one, two = commands(finding.mend)[0], commands(finding.mend)[-1]
    assert one == "llamapack pack MODEL.gguf --windows external"
    assert two == f"SMALL.exe -m {file}"
    assert only(file_place.fat32, machine(tmp_path), file).state == "note"
    assert only(bundle_file.directory, machine(tmp_path), file).state == "ok"
    small = sparse(tmp_path / "small", 3 * GIB, head)
    assert only(file_place.windows_size, machine(tmp_path), small).state == "ok"
    unix = sparse(tmp_path / "unix", 4 * GIB, UNIX_HEAD)
    assert found(file_place.windows_size, machine(tmp_path, "windows-x86_64"), unix) == []


def test_fat32(tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m")
    assert found(file_place.fat32, on, file) == []
    point = str(tmp_path).replace(" ", "\\040")
    lines = f"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / {point} rw,noexec shared:1 - vfat b rw\nodd\n"
    write(on.root / "proc/self/mountinfo", lines)
    assert only(file_place.fat32, on, file).state == "note"
    assert only(file_place.noexec, on, file).state == "problem"
    os.truncate(file, 4 * GIB - 1)
    finding = only(file_place.fat32, on, file)
    assert (finding.state, "cut off" in finding.what) == ("problem", True)


def test_quarantine_of_macos(tmp_path: Path) -> None:
    on, file = machine(tmp_path, "macos-aarch64"), bundle(tmp_path / "m.llamafile")
    program(tmp_path / "bin/xattr", "exit 1")
    assert only(file_place.quarantine, on, file).state == "ok"
    program(
        tmp_path / "bin/xattr", f'[ "$*" = "-p com.apple.quarantine {file}" ] && echo "0081;Safari"'
    )
    finding = only(file_place.quarantine, on, file)
    assert finding.state == "problem"
    assert "0081;Safari" in finding.what
    assert commands(finding.mend) == [f"xattr -d com.apple.quarantine {file}"]


def test_the_mark_on_linux(tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    assert found(file_place.quarantine, on, file) == []
    try:
        os.setxattr(file, "user.com.apple.quarantine", b"0081;")
    except OSError as error:
        pytest.skip(f"no attributes here: {error}")
    assert only(file_place.quarantine, on, file).state == "note"


@pytest.mark.parametrize(("zone", "state"), [("3", "problem"), ("4", "problem"), ("1", "ok")])
def test_the_mark_of_windows(zone: str, state: str, tmp_path: Path) -> None:
    on, file = machine(tmp_path, "windows-x86_64"), bundle(tmp_path / "it's.exe", MZ_HEAD)
    assert only(file_place.quarantine, on, file).state == "ok"
    write(Path(f"{file}:Zone.Identifier"), f"[ZoneTransfer]\nZoneId={zone}\n")
    finding = only(file_place.quarantine, on, file)
    assert finding.state == state
    if state == "problem":
        quoted = str(file).replace("'", "''")
        assert commands(finding.mend) == [f"Unblock-File -LiteralPath '{quoted}'"]
    assert only(file_place.antivirus, on, file).state == "note"
