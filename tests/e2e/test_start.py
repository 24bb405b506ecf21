"""The same answer however the file is started, and the answer is upstream's, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import CLI, answer, pack, run

from ci import upstream


@pytest.fixture(scope="session")
def expected() -> bytes:
    """What upstream's own program prints for the bare GGUF. It prints through a thread that it does
    not wait for at its end, so that now and then the tail is missing: the longest of some runs."""
    program = upstream.ready(upstream.COMPLETION)
    runs = [run([program, "-m", DEMO, "-no-cnv", *CLI[1:]]) for _ in range(5)]
    assert {done.returncode for done in runs} == {0}, runs[0].stderr.decode()
    longest = max((done.stdout for done in runs), key=len)
    assert len(longest) > 40
    assert all(longest.startswith(done.stdout) for done in runs)
    return longest


def test_without_any_shell_in_between(demo_bundle: Path, expected: bytes) -> None:
    assert answer(demo_bundle) == expected


@pytest.fixture(scope="module")
def unix_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is no Windows program: the shells that refuse those take this one."""
    output = tmp_path_factory.mktemp("unix") / "demo.llamafile"
    pack(DEMO, "--targets", "linux-x86_64,linux-x86_64-static", output=output)
    assert output.read_bytes()[:8] == b"jartsr='"
    return output


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "busybox"])
def test_from_each_shell(demo_bundle: Path, expected: bytes, shell: str) -> None:
    assert demo_bundle.read_bytes()[:8] == b"MZqFpD='"
    from_shell(demo_bundle, expected, shell)


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "busybox", "mksh", "ksh", "yash"])
def test_without_windows_from_each_shell(unix_bundle: Path, expected: bytes, shell: str) -> None:
    from_shell(unix_bundle, expected, shell)


def from_shell(demo_bundle: Path, expected: bytes, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    line = " ".join(f"'{word}'" for word in [str(demo_bundle), *CLI])
    done = run([*words, "-c", line])
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


def test_path_with_spaces_and_quotes(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "two words; 'quoted' $HOME"
    folder.mkdir()
    copy = Path(shutil.copy(demo_bundle, folder / 'a "b" c.llamafile'))
    assert answer(copy) == expected


def test_through_path_and_symlink(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    (tmp_path / "talk").symlink_to(demo_bundle)
    done = run(["bash", "-c", "talk " + " ".join(f"'{word}'" for word in CLI)],
               PATH=f"{tmp_path}:{os.environ['PATH']}")  # fmt: skip
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


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
    place = tmp_path / "noexec"
    place.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    line = " ".join(f"'{word}'" for word in ["sh", str(demo_bundle), *CLI])
    script = f"mount -t tmpfs -o noexec,mode=1777 none '{place}' && {line}"
    if run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(place)]).returncode:
        pytest.skip("this machine lets nobody mount anything in a namespace")
    done = run(["unshare", "-rm", "sh", "-c", script],
               HOME=str(home), TMPDIR=str(place), XDG_CACHE_HOME=str(place))  # fmt: skip
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


def test_two_at_once_on_a_cold_cache(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(answer, demo_bundle, LLAMAPACK_CACHE=str(tmp_path)) for _ in "ab"]
    assert [one.result() for one in started] == [expected, expected]


def test_without_the_c_library(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """Only busybox and the bundle: what Alpine and distroless images have."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("busybox is not installed here")
    root = tmp_path / "root"
    for folder in ("bin", "tmp", "proc", "dev"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in ("sh", "uname", "dd", "mkdir", "chmod", "mv", "rm", "id", "ls", "wc"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(demo_bundle, root / "demo.llamafile")
    # /dev as every container has it
    script = 'mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh /demo.llamafile "$@"'
    done = run(["unshare", "-rm", "sh", "-c", script, root, *CLI], LLAMAPACK_CACHE="/tmp/cache")
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("this machine lets nobody mount anything in a namespace")
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


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
    check = run(["bash", "-c", f"LD_PRELOAD={module} /bin/true"])
    assert b"PLANTED" in check.stderr

    done = run(["sh", demo_bundle, *CLI], cwd=tmp_path)
    assert (done.stdout, done.returncode) == (expected, 0)
    assert b"PLANTED" not in done.stderr
