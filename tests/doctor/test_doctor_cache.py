"""Directories that cannot hold engines, and what the machine offers instead."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.damage import damaged
from made_up import bundle, commands, found, in_private_mounts, machine, only, write

from runtime.doctor import Check, cache, host
from runtime.machine.machine import Machine


def states(on: Machine, file: Path | None = None) -> list[tuple[str, str]]:
    """State and path of each candidate; of the last sentence only the state."""
    return [
        (finding.state, finding.what.partition(" ")[0])
        for finding in found(cache.cache_directories, on, file)
    ]


def test_the_order_of_the_format(tmp_path: Path) -> None:
    xdg, temporary = tmp_path / "xdg", tmp_path / "temporary"
    temporary.mkdir()
    on = machine(tmp_path, XDG_CACHE_HOME=str(xdg), TMPDIR=str(temporary))
    own = f"llamapack-{os.geteuid()}"
    assert [path for _, path in states(on)] == [
        str(path)
        for path in (
            xdg / "llamapack", tmp_path / "home/.cache/llamapack", temporary / own,
            on.root / "tmp" / own, on.root / "var/tmp" / own, on.root / "dev/shm" / own,
        )
    ]  # fmt: skip
    assert {state for state, _ in states(on)} == {"ok"}
    assert "where engines are unpacked" in found(cache.cache_directories, on)[0].what
    assert not xdg.exists(), "looking leaves nothing behind"
    assert not list(tmp_path.rglob(".llamapack-doctor*"))
    mac = dataclasses.replace(on, system="macos", env={"HOME": str(tmp_path / "home")})
    assert states(mac)[0][1] == str(tmp_path / "home/Library/Caches/llamapack")


def test_windows_has_other_places(tmp_path: Path) -> None:
    on = machine(tmp_path, "windows-x86_64", LOCALAPPDATA=str(tmp_path), TEMP=str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    assert states(on) == [
        ("ok", str(tmp_path / "llamapack")),
        ("ok", str(tmp_path / "t/llamapack")),
    ]
    nowhere = dataclasses.replace(on, env={"LLAMAPACK_CACHE": "/proc/nowhere"})
    note, problem = found(cache.cache_directories, nowhere)
    assert (note.state, problem.state) == ("note", "problem")
    assert commands(problem.mend)[0] == "Remove-Item Env:LLAMAPACK_CACHE"


def test_the_one_that_is_set_is_the_only_one(tmp_path: Path) -> None:
    on = machine(tmp_path, LLAMAPACK_CACHE=str(tmp_path / "mine"))
    assert states(on) == [("ok", str(tmp_path / "mine"))]
    write(tmp_path / "mine")
    note, problem = found(cache.cache_directories, on)
    assert (note.state, problem.state) == ("note", "problem")
    assert "not a directory" in note.what
    assert commands(problem.mend)[0] == "unset LLAMAPACK_CACHE"


def passed_over(on: Machine, why: str) -> list[str]:
    """The mends of the first candidate, which has to be passed over for that reason."""
    first, second, *_ = found(cache.cache_directories, on)
    assert first.state == "note"
    assert why in first.what
    assert second.state == "ok"
    assert "where engines are unpacked" in second.what
    return commands(first.mend)


def test_directories_that_are_not_ones_own(tmp_path: Path) -> None:
    on = machine(tmp_path)
    place = tmp_path / "home/.cache/llamapack"
    place.mkdir(parents=True)
    place.chmod(0o777)
    assert passed_over(on, "other users may write") == [f"chmod go-w {place}"]
    place.chmod(0o755)
    assert states(on)[0][0] == "ok"
    other = dataclasses.replace(on, user=on.user + 1)
    assert passed_over(other, "belongs to user") == [f"sudo chown -R {on.user + 1} {place}"]
    place.rmdir()
    place.symlink_to(tmp_path)
    assert passed_over(other, "symbolic link") == [f"rm {place}"]
    assert states(on)[0][0] == "ok", "a link of one's own is fine"


def test_links_in_shared_directories(tmp_path: Path) -> None:
    on = dataclasses.replace(machine(tmp_path), env={})
    (on.root / f"tmp/llamapack-{on.user}").symlink_to(tmp_path)
    passed_over(on, "symbolic link")


def test_homes_that_do_not_exist_are_not_made(tmp_path: Path) -> None:
    passed_over(machine(tmp_path, HOME=str(tmp_path / "nonexistent")), "no home directory")
    assert not (tmp_path / "nonexistent").exists()


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ENGINE_BYTES", 1 << 60)
    assert all(s == "note" for s, _ in states(machine(tmp_path))[:-1])
    assert states(machine(tmp_path))[-1][0] == "problem"
    assert states(machine(tmp_path), bundle(tmp_path / "m"))[0][0] == "ok", "its engine is small"


@pytest.mark.parametrize(
    ("options", "why"),
    [("noexec", "noexec"), ("ro", "Read-only"), ("size=1m", "1 MB are free")],
)
def test_real_mounts(options: str, why: str, tmp_path: Path) -> None:
    place = tmp_path / "home/.cache"
    place.mkdir(parents=True)
    mount = f"mount -t tmpfs -o mode=700,{options} none {place} || exit 77\n"
    report = json.loads(in_private_mounts(tmp_path, mount + "doctor || true"))
    first, second, *_ = (f for f in report if f["check"] == "cache")
    assert (first["state"], second["state"]) == ("note", "ok")
    assert why in first["what"]
    if "sudo" not in first["mend"]:
        return
    [mend] = commands(first["mend"])
    report = json.loads(in_private_mounts(tmp_path, f"{mount}{mend}\ndoctor || true"))
    first, *_ = (f for f in report if f["check"] == "cache")
    assert first["state"] == "ok"


def test_a_read_only_home_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = (
        f"mount -t tmpfs -o ro none {home} || exit 77\nLLAMAPACK_CACHE={home}/x doctor && exit 1"
    )
    report = json.loads(in_private_mounts(tmp_path, f"{script}\ntrue"))
    assert [f["state"] for f in report if f["check"] == "cache"] == ["note", "problem"]


def unpacked(home: Path, engine_id: str, target: str = "linux-x86_64", size: int = 5) -> Path:
    name = f"{target}-{engine_id[:32]}"
    write(home / f".cache/llamapack/engines/{name}/llamapack-engine", "x" * size)
    return home / f".cache/llamapack/engines/{name}"


def test_old_engines(tmp_path: Path) -> None:
    on, home = machine(tmp_path), tmp_path / "home"
    assert found(cache.old_engines, on) == []
    old = unpacked(home, "0" * 32, size=3_000_000)
    os.utime(old, (1, 1))
    assert only(cache.old_engines, on).state == "ok"
    new = unpacked(home, "1" * 32)
    unpacked(home, "2" * 32, "linux-x86_64-static")
    finding = only(cache.old_engines, on)
    assert finding.state == "note"
    assert "3 MB" in finding.what
    assert commands(finding.mend) == [f"rm -r {old}"]
    file = bundle(tmp_path / "m.llamafile")
    assert "3 unpacked engines" in only(cache.old_engines, on, file).what
    data = b"engine for linux-x86_64"
    sums = f"{hashlib.sha256(data).hexdigest()}  llamapack-engine\n"
    own = unpacked(home, hashlib.sha256(sums.encode()).hexdigest())
    [mend] = commands(only(cache.old_engines, on, file).mend)
    assert str(new) in mend
    assert str(own) not in mend


def engine_in(home: Path, target: str = "linux-x86_64") -> Path:
    """What the first start of a made-up bundle unpacks."""
    data = f"engine for {target}".encode()
    sums = f"{hashlib.sha256(data).hexdigest()}  llamapack-engine\n"
    folder = unpacked(home, hashlib.sha256(sums.encode()).hexdigest(), target)
    (folder / "llamapack-engine").write_bytes(data)
    (folder / "llamapack-engine").chmod(0o700)
    return folder


def mended(check: Check, on: Machine, file: Path | None, what: str) -> None:
    """A problem is found, and the command that is named with it removes it."""
    [finding] = [one for one in found(check, on, file) if one.state != "ok"]
    assert what in finding.what
    subprocess.run(["sh", "-ec", commands(finding.mend)[0]], check=True)
    assert not [one for one in found(check, on, file) if one.state != "ok"]


@pytest.mark.parametrize(
    "damage",
    ["flipped", "empty", "gone", "not executable", "directory", "others may write", "fifo"],
)
def test_damaged_engines(damage: str, tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    engine = engine_in(tmp_path / "home") / "llamapack-engine"
    assert only(cache.contents, on, file).state == "ok"
    if damage == "flipped":
        engine.write_bytes(engine.read_bytes().replace(b"engine", b"eNgine"))
    elif damage == "empty":
        engine.write_bytes(b"")
    elif damage == "not executable":
        engine.chmod(0o600)
    elif damage == "others may write":
        engine.chmod(0o777)
    else:
        engine.unlink()
        if damage == "fifo":
            os.mkfifo(engine, 0o700)
        if damage == "directory":
            engine.mkdir()
    finding = only(cache.contents, on, file)
    assert finding.state == "problem"
    assert "llamapack-engine" in finding.what
    mended(cache.contents, on, file, str(engine.parent))


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o600])
def test_engine_folders_with_other_rights(mode: int, tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    folder = engine_in(tmp_path / "home")
    folder.chmod(mode)
    mended(cache.contents, on, file, str(folder))


@pytest.mark.parametrize("way", ["file", "fifo", "dangling link", "others may write"])
@pytest.mark.parametrize("name", ["engines", "stubs"])
def test_folders_that_starts_do_not_take(name: str, way: str, tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    engine_in(tmp_path / "home")
    folder = tmp_path / "home/.cache/llamapack" / name
    folder.mkdir(exist_ok=True)
    if way == "others may write":
        folder.chmod(0o777)
    else:
        shutil.rmtree(folder)
        folder.touch()
        if way != "file":
            damaged(way, folder, tmp_path)
    mended(cache.contents, on, file, str(folder))


@pytest.mark.parametrize("damage", [b"", b"stuB", 0o600, 0o777])
def test_damaged_stubs(damage: bytes | int, tmp_path: Path) -> None:
    """Found without the bundle, since their names are their hashes."""
    on = machine(tmp_path)
    folder = tmp_path / "home/.cache/llamapack/stubs"
    stub = folder / hashlib.sha256(b"stub").hexdigest()[:16]
    write(stub, "stub", 0o700)
    assert only(cache.contents, on).state == "ok"
    if isinstance(damage, int):
        stub.chmod(damage)
    else:
        stub.write_bytes(damage)
    mended(cache.contents, on, None, str(stub))


def test_engines_that_failed(tmp_path: Path) -> None:
    on, both = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    one = bundle(tmp_path / "one.llamafile", targets=["linux-x86_64"])
    engine = engine_in(tmp_path / "home")
    marker = engine.with_name(f"{engine.name}.fails-1-2")
    marker.touch()
    for file, state in ((None, "note"), (both, "note"), (one, "problem")):
        assert state in [finding.state for finding in found(cache.contents, on, file)]
    os.utime(marker, (1, 1))
    assert only(cache.contents, on, one).state == "ok", "it is tried again"
    marker.touch()
    mended(cache.contents, on, one, "failed on a trial")


def test_root_with_the_home_of_another(tmp_path: Path) -> None:
    other = dataclasses.replace(machine(tmp_path), user=os.geteuid() + 1)
    first = found(cache.cache_directories, other)[0]
    assert first.state == "note"
    assert f"{tmp_path / 'home'} belongs to user {os.geteuid()}" in first.what


def test_how_large_it_is_and_how_to_empty_it(tmp_path: Path) -> None:
    place, on = tmp_path / "my cache", machine(tmp_path, LLAMAPACK_CACHE=str(tmp_path / "my cache"))
    assert found(cache.size, on) == []
    write(place / "photos/holiday.jpg", "x" * 1_000_000)
    assert found(cache.size, on) == []
    write(place / "engines/linux-x86_64-0/llamapack-engine", "x" * 3_000_000)
    write(place / "gpu/linux-x86_64-vulkan-0/libggml-vulkan.so", "x" * 1_500_000)
    finding = only(cache.size, on)
    assert finding.what == f"{place} holds 4.5 MB: engines 3.0 MB, gpu 1.5 MB"
    assert found(cache.size, dataclasses.replace(on, user=on.user + 1)) == []
    windows = dataclasses.replace(on, system="windows")
    [command] = commands(only(cache.size, windows).mend)
    assert command == f"Remove-Item -Recurse '{place}/engines', '{place}/gpu'"
    [command] = commands(finding.mend)
    subprocess.run(["sh", "-c", command], check=True)
    assert found(cache.size, on) == []
    assert [path.name for path in place.iterdir()] == ["photos"]


@pytest.mark.parametrize("missing", ["avx2", "fma", "f16c", "bmi2"])
def test_processors_without_avx2(missing: str, tmp_path: Path) -> None:
    on = machine(tmp_path)
    assert only(host.processor, on).state == "ok"
    have = " ".join({"avx2", "fma", "f16c", "bmi2"} - {missing})
    write(on.root / "proc/cpuinfo", f"flags\t\t: fpu {have}\n")
    assert only(host.processor, on).state == "note"
    static = bundle(tmp_path / "m", targets=["linux-x86_64-static"])
    finding = only(host.processor, on, static)
    assert finding.state == "problem"
    assert missing.upper() in finding.what
    (on.root / "lib64/ld-linux-x86-64.so.2").unlink()
    assert only(host.processor, on).state == "problem"


def test_systems_without_glibc(tmp_path: Path) -> None:
    on = machine(tmp_path)
    modules = bundle(tmp_path / "modules", targets=["linux-x86_64"])
    assert only(host.c_library, on, modules).state == "ok"
    (on.root / "lib64/ld-linux-x86-64.so.2").unlink()
    assert only(host.c_library, on).state == "note"
    assert only(host.c_library, on, bundle(tmp_path / "both")).state == "note"
    finding = only(host.c_library, on, modules)
    assert finding.state == "problem"
    assert "--targets linux-x86_64-static" in finding.mend


def test_start_from_memory(tmp_path: Path) -> None:
    on = machine(tmp_path)
    assert only(host.start_from_memory, on).state == "ok"
    write(on.root / "proc/sys/vm/memfd_noexec", "2\n")
    finding = only(host.start_from_memory, on)
    assert finding.state == "note"
    assert commands(finding.mend) == ["sudo sysctl vm.memfd_noexec=1"]
    nowhere = dataclasses.replace(on, env={"LLAMAPACK_CACHE": "/proc/nowhere"})
    assert only(host.start_from_memory, nowhere).state == "problem"
    write(on.root / "proc/sys/vm/memfd_noexec", "1\n")
    write(on.root / "proc/sys/kernel/osrelease", "3.10.0-1160.el7\n")
    assert "3.10.0" in only(host.start_from_memory, on).what


ELF = b"\x7fELF\2\1\1" + bytes(11) + (62).to_bytes(2, "little")


def test_what_needs_no_directory(tmp_path: Path) -> None:
    """A native stub starts a static engine from memory; the script has to unpack a stub."""
    on = machine(tmp_path, LLAMAPACK_CACHE="/proc/nowhere")
    script, native = bundle(tmp_path / "script"), bundle(tmp_path / "native", ELF)
    assert states(on, script)[-1][0] == "problem"
    last = found(cache.cache_directories, on, script)[-1]
    assert f"llamapack assimilate {script} --target linux-x86_64 -o m" in commands(last.mend)
    assert [state for state, _ in states(on, native)] == ["note", "note"]
    modules = bundle(tmp_path / "modules", ELF, ["linux-x86_64"])
    assert states(on, modules)[-1][0] == "problem"
    write(on.root / "proc/sys/vm/memfd_noexec", "2\n")
    assert states(on, native)[-1][0] == "problem"


def test_a_file_that_is_itself_the_engine(tmp_path: Path) -> None:
    on = machine(tmp_path, LLAMAPACK_CACHE="/proc/nowhere")
    file = bundle(tmp_path / "m", ELF, [])
    assert "nothing is unpacked" in only(cache.cache_directories, on, file).what
    assert only(host.processor, on, file).state == "ok"
    write(on.root / "proc/cpuinfo", "flags\t\t: fpu\n")
    assert only(host.processor, on, file).state == "problem"
    foreign = bundle(tmp_path / "foreign", ELF, [], made_by="")
    assert found(host.processor, on, foreign) == []
