"""What is free, on machines that are made up of files and programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.machine.free_memory import free_memory
from runtime.machine.machine import Machine

GIB = 1 << 30


def machine(root: Path, files: dict[str, str], system: str = "linux", **env: str) -> Machine:
    """A machine whose system files are these, and whose programs lie in its `/bin`."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return Machine(system, "x86_64", {"PATH": f"{root}/bin:/usr/bin:/bin", **env}, 0, root)


MEMINFO = {"/proc/meminfo": "MemTotal: 33554432 kB\nMemFree: 1 kB\nMemAvailable: 16777216 kB\n"}


def test_what_the_system_says(tmp_path: Path) -> None:
    assert free_memory(machine(tmp_path, MEMINFO)) == 16 * GIB
    assert free_memory(machine(tmp_path / "empty", {})) is None


def test_this_machine_has_some() -> None:
    free = free_memory(Machine.this())
    assert free is not None
    assert 1 << 20 < free < 1 << 50


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (
            {
                "/proc/self/cgroup": "0::/a/b\n",
                "/sys/fs/cgroup/a/memory.max": "max\n",
                "/sys/fs/cgroup/a/memory.current": "1\n",
                "/sys/fs/cgroup/a/b/memory.max": f"{4 * GIB}\n",
                "/sys/fs/cgroup/a/b/memory.current": f"{3 * GIB}\n",
                "/sys/fs/cgroup/a/b/memory.stat": f"anon 1\ninactive_file {GIB}\nactive_file 5\n",
            },
            2 * GIB + 5,
        ),
        (
            {
                "/proc/self/cgroup": "0::/\n",
                "/sys/fs/cgroup/memory.max": f"{GIB}\n",
                "/sys/fs/cgroup/memory.current": f"{2 * GIB}\n",
            },
            0,
        ),
        (
            {  # a container: the path is the host's
                "/proc/self/cgroup": "12:cpu,memory:/docker/abc\n3:cpuset:/\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
                "/sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
                "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 7\n",
            },
            GIB + 7,
        ),
    ],
    ids=["version 2, the tightest", "more used than allowed", "version 1"],
)
def test_control_groups_limit_it(files: dict[str, str], free: int, tmp_path: Path) -> None:
    assert free_memory(machine(tmp_path, MEMINFO | files)) == free


def test_macos_and_freebsd(tmp_path: Path) -> None:
    vm_stat = (
        "#!/bin/sh\ncat <<'E'\nMach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:                    100.\nPages active:                  999.\n"
        "Pages inactive:                 20.\nPages speculative:                3.\nE\n"
    )
    assert free_memory(machine(tmp_path, {"/bin/vm_stat": vm_stat}, "macos")) == 123 * 16384
    sysctl = '#!/bin/sh\nprintf "4096\\n10\\n20\\n30\\n"\n'
    assert free_memory(machine(tmp_path, {"/bin/sysctl": sysctl}, "freebsd")) == 60 * 4096
