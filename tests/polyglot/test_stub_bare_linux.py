"""The stub as the start of a native program, on a Linux that has next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_bundle import Place, expect, linux_only, private_mounts, write_bundle

pytestmark = linux_only


@pytest.fixture
def native(place: Place, stubs: dict[str, bytes], engines: dict[str, dict[str, bytes]]) -> Place:
    """The bundle as `pack --format elf` makes it: a program with an archive behind it."""
    write_bundle(place.bundle, stubs["linux-x86_64"], engines)
    return place


def bare(place: Place, script: str) -> subprocess.CompletedProcess[str]:
    """Run in a root that holds the bundle alone: no /proc, no /dev, no /tmp, no libraries."""
    return private_mounts(
        place,
        f"""root="$HOME/root"; mkdir "$root"; mount -t tmpfs none "$root"
        cp "$1" "$root/bundle"
        {script}""",
    )


def test_native_program(native: Place, glibc: str) -> None:
    for _ in "cold", "warm":
        expect(native.run(native.bundle, "x"), native.bundle, glibc, "x")


def test_nothing_but_the_bundle_and_that_read_only(native: Place) -> None:
    done = bare(native, 'mount -o remount,ro "$root"; exec chroot "$root" /bundle x "y z"')
    expect(done, Path("/bundle"), "static", "x", "y z")


def test_found_by_what_the_kernel_was_asked_for(native: Place) -> None:
    """Neither /proc nor an argv[0] that is a path."""
    python = (
        "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); os.execv('/bundle', ['name', 'x'])"
    )
    done = bare(native, f'mount -o remount,ro "$root"; exec {sys.executable} -c "{python}" "$root"')
    expect(done, Path("/bundle"), "static", "x", called="name")


def test_a_cache_without_dev_null(native: Place) -> None:
    done = bare(
        native,
        """mkdir "$root/cache"
        LLAMAPACK_CACHE=/cache chroot "$root" /bundle >&2 || test $? = 7
        ls "$root"/cache/engines/linux-x86_64-static-*/llamapack-engine""",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("llamapack-engine\n") == 1


def test_standard_streams_that_are_closed(native: Place, glibc: str) -> None:
    done = native.run("sh", "-c", 'exec "$1" x <&- 2>&-', "sh", native.bundle)
    expect(done, native.bundle, glibc, "x")
