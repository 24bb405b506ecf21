"""Starting a bundle: shells, paths, loaders, machines; with a stand-in engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from small_bundle import Place, Programs, expect, fake_uname, linux_only, needs, private_mounts

from packer.ape.elf_rules import printed
from packer.head import elf

SHELLS = ["bash", "dash", "zsh", "busybox sh", "ksh93", "mksh", "yash"]
# The others stumble over the NULs or the magic of a Windows program.
MZ_SHELLS = ["bash", "dash", "zsh", "busybox sh"]

pytestmark = linux_only


@pytest.mark.parametrize("shell", SHELLS)
def test_shells(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    for _ in "cold", "warm":
        done = place.run(*shell.split(), place.bundle, "one", "t wo", "", "*", "a'b\"c\\")
        expect(done, place.bundle, glibc, "one", "t wo", "", "*", "a'b\"c\\")


@pytest.mark.parametrize("shell", [*SHELLS, "fish"])
def test_as_a_command_of_a_shell(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    done = place.run(*shell.split(), "-c", f"{place.bundle} x")
    expect(done, place.bundle, glibc, "x")


@pytest.mark.parametrize("shell", MZ_SHELLS)
def test_shells_run_a_file_that_windows_runs(windows_place: Place, shell: str, glibc: str) -> None:
    test_shells(windows_place, shell, glibc)


@pytest.mark.parametrize("shell", [*MZ_SHELLS, "fish"])
def test_a_file_that_windows_runs_as_a_command_of_a_shell(
    windows_place: Place, shell: str, glibc: str
) -> None:
    test_as_a_command_of_a_shell(windows_place, shell, glibc)


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_run_a_file_that_cmd_exe_runs(cmd_place: Place, shell: str, glibc: str) -> None:
    test_shells(cmd_place, shell, glibc)


@pytest.mark.parametrize("shell", [*SHELLS, "fish"])
def test_a_file_that_cmd_exe_runs_as_a_command_of_a_shell(
    cmd_place: Place, shell: str, glibc: str
) -> None:
    test_as_a_command_of_a_shell(cmd_place, shell, glibc)


@pytest.mark.parametrize("shell", SHELLS)
def test_odd_paths(place: Place, shell: str, glibc: str) -> None:
    needs(shell.split(maxsplit=1)[0])
    folder = place.home / "a b'c\"d$e`f\\g*h\n&;(i) é"
    folder.mkdir()
    bundle = place.bundle.rename(folder / "-n x.llamafile")
    expect(place.run(*shell.split(), bundle), bundle, glibc)


def test_through_path(place: Place, glibc: str) -> None:
    env = {"PATH": f"{place.bundle.parent}:{place.env['PATH']}"}
    expect(place.run("bash", "-c", "test.llamafile", **env), place.bundle, glibc)
    expect(place.run("dash", "-c", "test.llamafile", **env), place.bundle, glibc)


def test_by_name_in_the_current_folder(place: Place, glibc: str) -> None:
    bundle = place.bundle.rename(place.home / "test.llamafile")
    expect(place.run("sh", "test.llamafile"), bundle, glibc, called="./test.llamafile")


def test_through_a_symbolic_link(place: Place, glibc: str) -> None:
    link = place.home / "link"
    link.symlink_to(place.bundle)
    expect(place.run("sh", link), place.bundle, glibc, called=str(link))


def test_under_an_ape_loader(either_place: Place, programs: Programs, glibc: str) -> None:
    loader = programs.loader("x86_64-linux-musl")
    expect(either_place.run(loader, either_place.bundle, "x"), either_place.bundle, glibc, "x")


def test_under_an_ape_loader_by_a_name_in_path(
    place: Place, programs: Programs, glibc: str
) -> None:
    loader = programs.loader("x86_64-linux-musl")
    bundle = place.bundle.rename(place.home / "test.llamafile")
    done = place.run(loader, "test.llamafile", PATH=f"/nonexistent:{place.home}")
    expect(done, bundle, glibc, called="test.llamafile")


def test_as_a_native_program(either_place: Place, glibc: str) -> None:
    """The printed ELF header at the start of the file makes it one for the kernel."""
    data = either_place.bundle.read_bytes()
    [header] = [h for h in printed(data) if elf.parse(h, data).machine == elf.EM_X86_64]
    either_place.bundle.write_bytes(header + data[len(header) :])
    expect(either_place.run(either_place.bundle, "x"), either_place.bundle, glibc, "x")


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


def test_aarch64_through_the_script(either_place: Place) -> None:
    path = fake_uname(either_place, "Linux aarch64")
    done = emulated(either_place, f"PATH='{path}' exec sh \"$1\" x")
    expect(done, either_place.bundle, "arm", "x")


def test_aarch64_under_an_ape_loader(either_place: Place, programs: Programs) -> None:
    loader = programs.loader("aarch64-linux-musl")
    done = emulated(either_place, f'exec {loader} "$1" x')
    expect(done, either_place.bundle, "arm", "x")


def test_execve_through_binfmt_misc(either_place: Place, programs: Programs, glibc: str) -> None:
    loader = programs.loader("x86_64-linux-musl")
    magic = either_place.bundle.read_bytes()[:8].decode()
    done = emulated(
        either_place,
        f"""printf '%s' ":ape:M::{magic}::{loader}:F" >/proc/sys/fs/binfmt_misc/register
        exec python3 -c 'import os, sys; os.execv(sys.argv[1], [sys.argv[1], "x"])' "$1" """,
    )
    expect(done, either_place.bundle, glibc, "x")


BUSYBOX = Path(__file__).parents[2] / ".cache" / "busybox-aarch64"
"""Where ci/test-programs puts Debian's busybox-static for arm64."""


@pytest.mark.parametrize("command", ["/bin/sh /test.llamafile", "/bin/sh -c '/test.llamafile x'"])
def test_on_an_arm64_system(either_place: Place, command: str) -> None:
    """Shell, tools, stub and engine are all arm64 programs, in a root of their own."""
    if not BUSYBOX.is_file():
        pytest.skip("no busybox for aarch64 here: `sh ci/test-programs` as root gets it")
    root = either_place.home / "root"
    for folder in ("bin", "dev", "proc", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for name in ("sh", "uname", "dd", "id", "cksum", "mkdir", "rm", "mv", "chmod"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(either_place.bundle, root / "test.llamafile")
    for _ in "cold", "warm":
        done = emulated(
            either_place,
            f"""for d in dev proc; do mount --rbind "/$d" "$HOME/root/$d"; done
            exec chroot "$HOME/root" /bin/busybox env -i PATH=/bin HOME=/ {command}""",
        )
        arguments = ["x"] if "x'" in command else []
        expect(done, Path("/test.llamafile"), "arm", *arguments)
    assert len(list((root / ".cache" / "llamapack" / "stubs").iterdir())) == 1
