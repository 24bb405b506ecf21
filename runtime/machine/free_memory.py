"""The memory that programs may still take on this machine."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.machine.machine import Machine

_CGROUPS = "/sys/fs/cgroup"


def free_memory(machine: Machine) -> int | None:
    """Bytes that programs may take without swapping; None if unknown.

    Memory that only caches files counts as free. On Linux the limits of control groups (containers,
    systemd) count too.
    """
    if machine.system == "linux":
        stated = re.search(
            r"^MemAvailable:\s*(\d+) kB", machine.text("/proc/meminfo"), re.MULTILINE
        )
        limits = list(_cgroup_limits(machine))
        return min([int(stated[1]) * 1024, *limits] if stated else limits, default=None)
    if machine.system == "macos":
        return _macos(machine)
    if machine.system == "freebsd":
        return _freebsd(machine)
    return _windows() if machine.system == "windows" else None


@dataclass(frozen=True)
class _Names:
    """Files of one version of control groups, and keys of its `memory.stat`."""

    limit: str
    usage: str
    cached: tuple[str, str]
    """Bytes of cached files, which are released when programs need memory."""


# Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
_V2 = _Names("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1 = _Names(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def _cgroup_limits(machine: Machine) -> Iterator[int]:
    """The bytes that each control group above this process still allows."""
    for line in machine.text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits_above(machine, _CGROUPS, path, _V2)
        elif "memory" in controllers.split(","):
            yield from _limits_above(machine, f"{_CGROUPS}/memory", path, _V1)


def _limits_above(machine: Machine, top: str, path: str, names: _Names) -> Iterator[int]:
    # In a container the path is that of the host, and the top is the container's own group.
    inner = PurePosixPath(path.lstrip("/"))
    for count in range(len(inner.parts) + 1):
        folder = PurePosixPath(top, *inner.parts[:count])
        allowed = machine.text(f"{folder}/{names.limit}").strip()
        used = machine.text(f"{folder}/{names.usage}").strip()
        if not allowed.isdigit() or not used.isdigit():
            continue  # `max`, or there is no such group
        lines = machine.text(f"{folder}/memory.stat").splitlines()
        stat = dict(line.split(" ", 1) for line in lines)
        cached = sum(int(stat.get(name, 0)) for name in names.cached)
        yield max(int(allowed) - int(used) + cached, 0)


def _macos(machine: Machine) -> int | None:
    pages = machine.output("vm_stat") or ""
    size = re.search(r"page size of (\d+) bytes", pages)
    names = ("Pages free", "Pages inactive", "Pages purgeable", "Pages speculative")
    found = [re.search(rf"^{name}:\s*(\d+)\.", pages, re.MULTILINE) for name in names]
    if not size:
        return None
    return int(size[1]) * sum(int(count[1]) for count in found if count)


def _freebsd(machine: Machine) -> int | None:
    counts = [f"vm.stats.vm.v_{name}_count" for name in ("free", "inactive", "laundry")]
    numbers = (machine.output("sysctl", "-n", "hw.pagesize", *counts) or "").split()
    if len(numbers) != 1 + len(counts) or not all(number.isdigit() for number in numbers):
        return None
    size, *pages = map(int, numbers)
    return size * sum(pages)


class _MemoryStatus(ctypes.Structure):
    """`MEMORYSTATUSEX` of Windows' sysinfoapi.h."""

    _fields_ = (
        ("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64), ("total_page_file", ctypes.c_uint64),
        ("available_page_file", ctypes.c_uint64), ("total_virtual", ctypes.c_uint64),
        ("available_virtual", ctypes.c_uint64), ("available_extended_virtual", ctypes.c_uint64),
    )  # fmt: skip


def _windows() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - there on Windows only
    return int(status.available) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None
