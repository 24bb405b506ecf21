"""Starting a bundle: every shell, every path, every state of the cache; with a stand-in engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from conftest import Place, Programs, needs, write_bundle

SHELLS = ["bash", "dash", "zsh", "busybox sh", "ksh93", "mksh", "yash"]
INTERPRETER = Path("/lib64/ld-linux-x86-64.so.2")

pytestmark = pytest.mark.skipif(
    os.uname().sysname != "Linux" or os.uname().machine != "x86_64",
    reason="the stand-in engines are for linux-x86_64",
)


def expect(done: subprocess.CompletedProcess[str], bundle: Path, engine: str, *argv: str) -> None:
    arguments = "".join(f"argument {word}\n" for word in argv)
    want = f"engine {engine}\nbundle {bundle}\n{arguments}"
    assert (done.returncode, done.stdout, done.stderr) == (7, want, "")


def refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert [line.split()[0] for line in lines] == ["ERROR", "TIP"]
    for text in texts:
        assert text in lines[0]


def private_mounts(place: Place, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where it may mount what it likes; $1 is the bundle."""
    needs("unshare")
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit private mounts")
    return place.run("unshare", "-rm", "sh", "-ec", script, "sh", place.bundle)


@pytest.fixture
def glibc() -> str:
    return "glibc" if INTERPRETER.exists() else "static"


@pytest.fixture
def stub(stubs: dict[str, bytes], tmp_path: Path) -> Path:
    """The stub as the script leaves it in the cache."""
    path = tmp_path / "stub"
    path.write_bytes(stubs["linux-x86_64"])
    path.chmod(0o755)
    return path


# ---- shells and paths ----


@pytest.mark.parametrize("shell", SHELLS)
def test_shells(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    for _ in "cold", "warm":
        done = place.run(*shell.split(), place.bundle, "one", "t wo", "", "*", "a'b\"c\\")
        expect(done, place.bundle, glibc, str(place.bundle), "one", "t wo", "", "*", "a'b\"c\\")


@pytest.mark.parametrize("shell", [*SHELLS, "fish"])
def test_as_a_command_of_a_shell(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    done = place.run(*shell.split(), "-c", f"{place.bundle} x")
    expect(done, place.bundle, glibc, str(place.bundle), "x")


@pytest.mark.parametrize("shell", SHELLS)
def test_odd_paths(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    folder = place.home / "a b'c\"d$e`f\\g*h\n&;(i) é"
    folder.mkdir()
    bundle = place.bundle.rename(folder / "-n x.llamafile")
    expect(place.run(*shell.split(), bundle), bundle, glibc, str(bundle))


def test_through_path(place: Place, glibc: str) -> None:
    env = {"PATH": f"{place.bundle.parent}:{place.env['PATH']}"}
    expect(place.run("bash", "-c", "test.llamafile", **env), place.bundle, glibc, str(place.bundle))
    expect(place.run("dash", "-c", "test.llamafile", **env), place.bundle, glibc, str(place.bundle))


def test_by_name_in_the_current_folder(place: Place, glibc: str) -> None:
    bundle = place.bundle.rename(place.home / "test.llamafile")
    expect(place.run("sh", "test.llamafile"), bundle, glibc, "./test.llamafile")


def test_through_a_symbolic_link(place: Place, glibc: str) -> None:
    link = place.home / "link"
    link.symlink_to(place.bundle)
    expect(place.run("sh", link), place.bundle, glibc, str(link))


# ---- the cache ----


def test_what_the_cache_holds(place: Place) -> None:
    place.run("sh", place.bundle)
    for folder in (place.cache, place.cache / "engines", place.cache / "stubs"):
        assert folder.stat().st_mode & 0o7777 == 0o700
    assert not list(place.cache.rglob(".*"))
    [engine] = [p for p in (place.cache / "engines").iterdir() if p.is_dir()]
    assert sorted(p.name for p in engine.iterdir()) == ["libx.so", "llamapack-engine"]


def test_second_start_writes_nothing(place: Place) -> None:
    place.run("sh", place.bundle)
    before = {p: p.stat().st_ctime_ns for p in place.cache.rglob("*")}
    assert place.run("sh", place.bundle).returncode == 7
    assert {p: p.stat().st_ctime_ns for p in place.cache.rglob("*")} == before


def test_cache_variable_is_used_instead_of_all_others(place: Place, glibc: str) -> None:
    mine = place.home / "deep" / "er" / "cache"
    done = place.run("sh", place.bundle, LLAMAPACK_CACHE=str(mine), XDG_CACHE_HOME="/nonexistent")
    expect(done, place.bundle, glibc, str(place.bundle))
    assert (mine / "engines").is_dir()
    assert not place.cache.exists()


def test_xdg_cache_home(place: Place) -> None:
    assert place.run("sh", place.bundle, XDG_CACHE_HOME=str(place.home / "x")).returncode == 7
    assert (place.home / "x" / "llamapack" / "engines").is_dir()
    assert not place.cache.exists()


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home", "/proc"])
def test_without_a_usable_home(place: Place, glibc: str, home: str | None) -> None:
    temporary = place.home / "tmp"
    temporary.mkdir()
    for _ in "cold", "warm":
        done = place.run("sh", place.bundle, HOME=home, TMPDIR=str(temporary))
        expect(done, place.bundle, glibc, str(place.bundle))
    assert (temporary / f"llamapack-{os.geteuid()}" / "engines").is_dir()


@pytest.mark.parametrize("options", ["noexec", "ro", "size=200k"])
def test_directories_that_cannot_hold_programs_are_passed_over(
    place: Place, glibc: str, options: str
) -> None:
    done = private_mounts(
        place,
        f"""mount -t tmpfs -o mode=1777 none /var/tmp; mkdir -p "$HOME/.cache"
        mount -t tmpfs -o mode=700,{options} none "$HOME/.cache"
        export TMPDIR=/var/tmp
        sh "$1" >/dev/null || test $? = 7
        ls -A "$HOME/.cache/llamapack/engines" >&2 2>/dev/null || true
        exec sh "$1" """,
    )
    expect(done, place.bundle, glibc, str(place.bundle))


def test_stub_starts_from_memory_where_no_directory_will_do(place: Place, stub: Path) -> None:
    done = place.run(stub, "x", LLAMAPACK_BUNDLE=str(place.bundle), LLAMAPACK_CACHE="/proc/nothing")
    expect(done, place.bundle, "static", str(place.bundle), "x")


def test_no_directory_will_do(place: Place) -> None:
    refused(place.run("sh", place.bundle, LLAMAPACK_CACHE="/proc/nothing"), "/proc/nothing")


def test_an_unusable_cache_is_named_with_its_reason(
    place: Place, stub: Path, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    if not INTERPRETER.exists():
        pytest.skip("this machine has no glibc")
    bundle = write_bundle(place.bundle, head, {"linux-x86_64": engines["linux-x86_64"]})
    file = place.home / "file"
    file.touch()
    done = place.run(stub, LLAMAPACK_BUNDLE=str(bundle), LLAMAPACK_CACHE=str(file))
    refused(done, f"`{file}` (it is not a directory)")


def test_twenty_at_once_on_a_cold_cache(place: Place, glibc: str) -> None:
    runs = [
        subprocess.Popen(
            ["sh", place.bundle, str(n)], env=place.env, stdout=subprocess.PIPE, text=True
        )
        for n in range(20)
    ]
    for n, run in enumerate(runs):
        out, _ = run.communicate(timeout=120)
        assert (run.returncode, out.splitlines()[0], out.splitlines()[-1]) == (
            7, f"engine {glibc}", f"argument {n}",
        )  # fmt: skip
    assert not list(place.cache.rglob(".*"))
    assert len([p for p in (place.cache / "engines").iterdir() if p.is_dir()]) == 1


def test_leftovers_go_when_they_are_old(place: Place) -> None:
    old, new = (place.cache / "engines" / name for name in (".old", ".new"))
    stub = place.cache / "stubs" / ".old"
    for folder in (old, new, stub):
        folder.mkdir(parents=True)
        (folder / "llamapack-engine").write_bytes(b"half")
    place.cache.chmod(0o700)
    for folder in (old, stub):
        os.utime(folder, (time.time() - 7200,) * 2)
    assert place.run("sh", place.bundle).returncode == 7
    assert (old.exists(), new.exists(), stub.exists()) == (False, True, False)


def test_killed_while_it_extracts(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]], glibc: str
) -> None:
    target = "linux-x86_64" if glibc == "glibc" else "linux-x86_64-static"
    engines[target]["libx.so"] = bytes(64 << 20)
    rewrite(place, head, {target: engines[target]})
    run = subprocess.Popen(["sh", place.bundle], env=place.env, stdout=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not list(place.cache.glob("engines/.*/*")) and time.time() < deadline:
        time.sleep(0.001)
    run.kill()
    run.wait()
    assert len(list(place.cache.glob("engines/.*"))) == 1
    assert not list(place.cache.glob("engines/linux*"))
    expect(place.run("sh", place.bundle), place.bundle, glibc, str(place.bundle))


@pytest.mark.parametrize("name", ["llamapack-engine", "libx.so"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_cache_is_mended(place: Place, glibc: str, name: str, damage: str) -> None:
    place.run("sh", place.bundle)
    [file] = place.cache.rglob(name)
    if damage == "cut":
        os.truncate(file, 100)
    else:
        file.unlink()
    expect(place.run("sh", place.bundle), place.bundle, glibc, str(place.bundle))
    assert [p.stat().st_size > 100 for p in place.cache.rglob(name)] == [True]


# ---- what others plant ----


@pytest.fixture
def shared_cache() -> Iterator[None]:
    """The next directory in turn, /tmp/llamapack-UID, goes away unless it was there before."""
    cache = Path(f"/tmp/llamapack-{os.geteuid()}")
    before = cache.exists()
    yield
    if not before:
        shutil.rmtree(cache)


def plant(cache: Path, owner: int, stub_name: str) -> None:
    """A cache as an attacker would prepare it, with programs that say so."""
    (cache / "stubs").mkdir(parents=True)
    evil = cache / "stubs" / stub_name
    evil.write_text("#!/bin/sh\necho planted\n")
    evil.chmod(0o755)
    for path in (cache, cache / "stubs", evil):
        os.chown(path, owner, owner)
    cache.chmod(0o777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("way", ["directory", "link"])
@pytest.mark.usefixtures("shared_cache")
def test_a_planted_cache_is_not_used(place: Place, glibc: str, way: str) -> None:
    place.run("sh", place.bundle)
    [name] = [p.name for p in (place.cache / "stubs").iterdir()]
    shutil.rmtree(place.cache)
    temporary = place.home / "tmp"
    temporary.mkdir()
    cache = temporary / f"llamapack-{os.geteuid()}"
    if way == "directory":
        plant(cache, 12345, name)
    else:
        plant(temporary / "elsewhere", 12345, name)
        cache.symlink_to("elsewhere")
        os.chown(cache, 12345, 12345, follow_symlinks=False)
    expect(
        place.run("sh", place.bundle, HOME=None, TMPDIR=str(temporary)),
        place.bundle, glibc, str(place.bundle),
    )  # fmt: skip
    assert not (cache / "engines").exists()


def test_a_cache_that_others_may_write_to_is_not_used_by_the_stub(place: Place, stub: Path) -> None:
    open_to_all = place.home / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    env = {"LLAMAPACK_BUNDLE": str(place.bundle), "LLAMAPACK_CACHE": str(open_to_all)}
    expect(place.run(stub, **env), place.bundle, "static", str(place.bundle))
    assert list(open_to_all.iterdir()) == []


# ---- which engine ----


def rewrite(place: Place, head: bytes, engines: Mapping[str, Mapping[str, bytes]]) -> None:
    write_bundle(place.bundle, head, engines)


def test_an_engine_that_does_not_start_gives_way_to_the_static_one(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]], programs: Programs
) -> None:
    if not INTERPRETER.exists():
        pytest.skip("this machine has no glibc")
    engines["linux-x86_64"]["llamapack-engine"] = programs.engine("linux-x86_64-refuses")
    rewrite(place, head, engines)
    for _ in "cold", "warm":
        expect(place.run("sh", place.bundle), place.bundle, "static", str(place.bundle))
    [verdict] = (place.cache / "engines").glob("*.fails-*")
    before = verdict.stat().st_ctime_ns
    place.run("sh", place.bundle)
    assert verdict.stat().st_ctime_ns == before
    # Another interpreter, another trial.
    verdict.rename(verdict.with_name(verdict.name.rpartition(".fails-")[0] + ".fails-1-1"))
    expect(place.run("sh", place.bundle), place.bundle, "static", str(place.bundle))
    assert len(list((place.cache / "engines").glob("*.fails-*"))) == 2


def test_without_glibc(place: Place, stub: Path) -> None:
    """Only the stub: shell and tools of this machine are gone with its glibc."""
    done = private_mounts(
        place,
        f"""mkdir "$HOME/empty"; mount --bind "$HOME/empty" {INTERPRETER.parent}
        LLAMAPACK_BUNDLE="$1" exec {stub}""",
    )
    expect(done, place.bundle, "static", str(place.bundle))


def test_no_engine_for_this_machine(
    place: Place, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    rewrite(place, head, {"linux-aarch64-static": engines["linux-aarch64-static"]})
    refused(place.run("sh", place.bundle), "linux-aarch64-static", str(place.bundle))


def test_a_cpu_that_the_static_engine_cannot_use(
    place: Place, stub: Path, head: bytes, engines: dict[str, dict[str, bytes]]
) -> None:
    needs("qemu-x86_64-static")
    rewrite(place, head, {"linux-x86_64-static": engines["linux-x86_64-static"]})
    done = place.run(
        "qemu-x86_64-static", "-cpu", "Nehalem", stub, LLAMAPACK_BUNDLE=str(place.bundle)
    )
    refused(done, "linux-x86_64-static", "AVX2")


def fake_uname(place: Place, answer: str) -> str:
    folder = place.home / "bin"
    folder.mkdir()
    (folder / "uname").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (folder / "uname").chmod(0o755)
    return f"{folder}:{place.env['PATH']}"


def test_a_system_without_a_stub(place: Place) -> None:
    done = place.run("sh", place.bundle, PATH=fake_uname(place, "OSF1 alpha"))
    refused(done, "OSF1 alpha", "linux-aarch64, linux-x86_64")


# ---- damaged bundles ----


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
    rewrite(place, head, engines)
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
    expect(place.run("sh", place.bundle), place.bundle, glibc, str(place.bundle))


# ---- without a shell ----


def test_under_an_ape_loader(place: Place, programs: Programs, glibc: str) -> None:
    loader = programs.loader("x86_64-linux-musl")
    expect(place.run(loader, place.bundle, "x"), place.bundle, glibc, str(place.bundle), "x")


def test_under_an_ape_loader_by_a_name_in_path(
    place: Place, programs: Programs, glibc: str
) -> None:
    loader = programs.loader("x86_64-linux-musl")
    bundle = place.bundle.rename(place.home / "test.llamafile")
    done = place.run(loader, "test.llamafile", PATH=f"/nonexistent:{place.home}")
    expect(done, bundle, glibc, "test.llamafile")


def test_as_a_native_program(place: Place, head: bytes, glibc: str) -> None:
    """The printed ELF header at the start of the file makes it one for the kernel."""
    from packer.polyglot import ape_rules, elf

    [header] = [h for h in ape_rules.printed(head) if elf.parse(h, head).machine == elf.EM_X86_64]
    data = place.bundle.read_bytes()
    place.bundle.write_bytes(header + data[len(header) :])
    expect(place.run(place.bundle, "x"), place.bundle, glibc, str(place.bundle), "x")


# ---- aarch64 ----


def emulated(place: Place, command: str) -> subprocess.CompletedProcess[str]:
    """Run where the kernel gives aarch64 programs to qemu and APE files to $LOADER."""
    needs("qemu-aarch64-static")
    done = private_mounts(place, "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc")
    if done.returncode:
        pytest.skip(f"this machine has no private binfmt_misc: {done.stderr}")
    register = (
        r":arm:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
        r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    )
    return private_mounts(
        place,
        f"""mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        printf '%s' '{register}:{shutil.which("qemu-aarch64-static")}:PF' \
            >/proc/sys/fs/binfmt_misc/register
        {command}""",
    )


def test_aarch64_through_the_script(place: Place) -> None:
    path = fake_uname(place, "Linux aarch64")
    done = emulated(place, f"PATH='{path}' exec sh \"$1\" x")
    expect(done, place.bundle, "arm", str(place.bundle), "x")


def test_aarch64_under_an_ape_loader(place: Place, programs: Programs) -> None:
    loader = programs.loader("aarch64-linux-musl")
    done = emulated(place, f'exec {loader} "$1" x')
    expect(done, place.bundle, "arm", str(place.bundle), "x")


def test_execve_through_binfmt_misc(place: Place, programs: Programs, glibc: str) -> None:
    loader = programs.loader("x86_64-linux-musl")
    done = emulated(
        place,
        f"""printf '%s' ":ape:M::jartsr='::{loader}:F" >/proc/sys/fs/binfmt_misc/register
        exec python3 -c 'import os, sys; os.execv(sys.argv[1], [sys.argv[1], "x"])' "$1" """,
    )
    expect(done, place.bundle, glibc, str(place.bundle), "x")
