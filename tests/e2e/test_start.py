"""The same answer however the file is started, and the answer is upstream's, byte for byte."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.repository import DEMO, REPOSITORY
from helpers.running import CLI, answer, run, upstream_answer

PROGRAMS = ("sh", "uname", "dd", "mkdir", "chmod", "mv", "rm", "id", "ls", "wc", "cksum", "head")
"""What the file's script may use."""


@pytest.fixture(scope="module")
def expected() -> bytes:
    found = upstream_answer(DEMO, *CLI[1:], runs=5)
    assert len(found) > 40
    return found


def answers(command: Sequence[str | Path], expected: bytes, **environment: str) -> None:
    done = run(command, **environment)
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


def test_without_any_shell_in_between(demo_bundle: Path, expected: bytes) -> None:
    assert answer(demo_bundle) == expected


@pytest.mark.parametrize(
    ("kind", "shell"),
    [
        *(("demo_bundle", shell) for shell in ("bash", "dash", "zsh", "busybox")),
        *(("linux_bundle", s) for s in ("bash", "dash", "zsh", "busybox", "mksh", "ksh", "yash")),
    ],
)
def test_from_each_shell(
    kind: str, shell: str, expected: bytes, request: pytest.FixtureRequest
) -> None:
    """A file with an engine for Windows begins as a Windows program, which some shells refuse."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    bundle: Path = request.getfixturevalue(kind)
    assert bundle.read_bytes()[:2] == (b"MZ" if kind == "demo_bundle" else b"ja")
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    answers([*words, "-c", shlex.join([str(bundle), *CLI])], expected)


def test_path_with_spaces_and_quotes(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "two words; 'quoted' $HOME"
    folder.mkdir()
    copy = Path(shutil.copy(demo_bundle, folder / 'a "b" c.llamafile'))
    assert answer(copy) == expected


def test_through_path_and_symlink(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    (tmp_path / "talk").symlink_to(demo_bundle)
    path = f"{tmp_path}:{os.environ['PATH']}"
    answers(["bash", "-c", shlex.join(["talk", *CLI])], expected, PATH=path)


def test_home_that_cannot_be_written(
    demo_bundle: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMAPACK_CACHE")
    # /proc takes no files, not even root's
    env = {"HOME": "/proc", "XDG_CACHE_HOME": "/proc/cache", "TMPDIR": str(tmp_path)}
    assert answer(demo_bundle, **env) == expected
    # An earlier start of somebody without a home may have left them in a place that counts as well.
    places = (tmp_path, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
    name = f"llamapack-{os.geteuid()}/engines/*/llamapack-engine"
    assert any(list(place.glob(name)) for place in places)


def test_temporary_folder_without_programs(
    demo_bundle: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMAPACK_CACHE")
    place, home = tmp_path / "noexec", tmp_path / "home"
    place.mkdir()
    home.mkdir()
    if run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", place]).returncode:
        pytest.skip("this machine lets nobody mount anything in a namespace")
    script = 'mount -t tmpfs -o noexec,mode=1777 none "$0" && exec sh "$@"'
    env = {"HOME": str(home), "TMPDIR": str(place), "XDG_CACHE_HOME": str(place)}
    answers(["unshare", "-rm", "sh", "-c", script, place, demo_bundle, *CLI], expected, **env)


def test_two_at_once_on_a_cold_cache(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(answer, demo_bundle, LLAMAPACK_CACHE=str(tmp_path)) for _ in "ab"]
    assert [one.result() for one in started] == [expected, expected]


def busybox_root(folder: Path, busybox: str | Path, bundle: Path) -> Path:
    """The root of a small system: busybox, the bundle and nothing else."""
    for name in ("bin", "tmp", "proc", "dev", "root"):
        (folder / name).mkdir(parents=True)
    shutil.copy(busybox, folder / "bin/busybox")
    for name in PROGRAMS:
        (folder / "bin" / name).symlink_to("busybox")
    shutil.copy(bundle, folder / "demo.llamafile")
    return folder


def test_without_the_c_library(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """What Alpine and distroless images have."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("busybox is not installed here")
    root = busybox_root(tmp_path / "root", busybox, demo_bundle)
    # /dev as every container has it
    script = 'mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh /demo.llamafile "$@"'
    done = run(["unshare", "-rm", "sh", "-c", script, root, *CLI], LLAMAPACK_CACHE="/tmp/cache")
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("this machine lets nobody mount anything in a namespace")
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


BUSYBOX = REPOSITORY / ".cache" / "busybox-aarch64"
"""Where ci/test-programs puts Debian's busybox-static for arm64."""
MAGIC = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
)
"""Magic and mask of ELF programs for aarch64, as binfmt_misc takes them."""


def test_on_aarch64(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """Script, stub and engine, with that machine's own programs, which the kernel gives to qemu."""
    if not BUSYBOX.is_file():
        pytest.skip("no busybox for aarch64 here: `sh ci/test-programs` as root gets it")
    qemu = shutil.which("qemu-aarch64-static")
    if not qemu or not shutil.which("unshare"):
        pytest.skip("no qemu-aarch64-static or unshare here (apt-get install qemu-user-static)")
    root = busybox_root(tmp_path / "root", BUSYBOX, demo_bundle)
    script = (
        "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc\n"
        f"printf '%s' ':llamapack-aarch64:M::{MAGIC}:{qemu}:PF' "
        "> /proc/sys/fs/binfmt_misc/register\n"
        f"mount -t proc none {root}/proc\n"
        f'exec chroot {root} "$@"\n'
    )

    def chrooted(*words: str) -> bytes:
        done = subprocess.run(
            ["unshare", "-Urmpf", "sh", "-ec", script, "sh", *words],
            env={"PATH": os.environ["PATH"] + ":/usr/sbin:/bin", "HOME": "/root"},
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    assert chrooted("/bin/uname", "-m") == b"aarch64\n"
    assert chrooted("/bin/sh", "/demo.llamafile", *CLI) == expected
    assert list((root / "root/.cache/llamapack/engines").glob("linux-aarch64-static-*"))


def test_a_module_in_the_current_folder_is_not_loaded(
    demo_bundle: Path, expected: bytes, tmp_path: Path
) -> None:
    """A planted module would run its constructor on load."""
    source = tmp_path / "evil.c"
    source.write_text(
        "#include <stdio.h>\n"
        '__attribute__((constructor)) static void run(void) { fputs("PLANTED\\n", stderr); }\n'
        "int ggml_backend_score(void) { return 1000000; }\n"
    )
    from packer.engines import native, pins, toolchain

    zig = toolchain.find(pins.load(native.directory())).zig
    module = tmp_path / "libggml-cpu-evil.so"
    subprocess.run([zig, "cc", "-O1", "-shared", "-fPIC", "-o", module, source], check=True)
    # The module itself works: a program that loads it shows that.
    assert b"PLANTED" in run(["bash", "-c", f"LD_PRELOAD={module} /bin/true"]).stderr
    done = run(["sh", demo_bundle, *CLI], cwd=tmp_path)
    assert (done.stdout, done.returncode) == (expected, 0)
    assert b"PLANTED" not in done.stderr
