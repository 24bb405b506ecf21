"""The same bundle on an aarch64 machine: script, stub and engine, in a root of that machine's own
programs, which the kernel gives to qemu."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from helpers.running import CLI, answer

BUSYBOX = REPOSITORY / ".cache" / "busybox-aarch64"
"""Where ci/test-programs puts Debian's busybox-static for arm64."""

MAGIC = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
)
"""Magic and mask of ELF programs for aarch64, as binfmt_misc takes them."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a small aarch64 system: busybox and nothing else."""
    if not BUSYBOX.is_file():
        pytest.skip("no busybox for aarch64 here: `sh ci/test-programs` as root gets it")
    folder = tmp_path_factory.mktemp("aarch64")
    for name in ("bin", "proc", "root", "tmp", "dev"):
        (folder / name).mkdir()
    shutil.copy(BUSYBOX, folder / "bin/busybox")
    for name in ("sh", "uname", "dd", "mkdir", "mv", "rm", "chmod", "cksum", "id", "head", "cat"):
        (folder / "bin" / name).symlink_to("busybox")
    return folder


def chrooted(root: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    qemu = shutil.which("qemu-aarch64-static")
    if not qemu or not shutil.which("unshare"):
        pytest.skip("no qemu-aarch64-static or unshare here (apt-get install qemu-user-static)")
    script = (
        "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc\n"
        f"printf '%s' ':llamapack-aarch64:M::{MAGIC}:{qemu}:PF' "
        "> /proc/sys/fs/binfmt_misc/register\n"
        f"mount -t proc none {root}/proc\n"
        f'exec chroot {root} "$@"\n'
    )
    return subprocess.run(
        ["unshare", "-Urmpf", "sh", "-ec", script, "sh", *words],
        env={"PATH": os.environ["PATH"] + ":/usr/sbin:/bin", "HOME": "/root"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=600,
    )


def test_the_root_is_aarch64(root: Path) -> None:
    done = chrooted(root, "/bin/uname", "-m")
    assert (done.returncode, done.stdout) == (0, b"aarch64\n"), done.stderr


def test_answers_on_aarch64(root: Path, demo_bundle: Path) -> None:
    shutil.copy(demo_bundle, root / "demo.llamafile")
    done = chrooted(root, "/bin/sh", "/demo.llamafile", *CLI)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == answer(demo_bundle)
    assert list((root / "root/.cache/llamapack/engines").glob("linux-aarch64-static-*"))
