"""Ends a program together with this one on Windows, even if this one is killed."""

from __future__ import annotations

import ctypes
import subprocess
from typing import Any

_LIMITS_INFORMATION = 9  # JobObjectExtendedLimitInformation, winnt.h
# JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE and both of BREAKAWAY_OK: a browser that it opens stays.
_LIMITS = 0x2000 | 0x800 | 0x1000


class _Limits(ctypes.Structure):
    """`JOBOBJECT_EXTENDED_LIMIT_INFORMATION` of winnt.h."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("working_set_least", ctypes.c_size_t),
        ("working_set_most", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
        ("io", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("process_memory_peak", ctypes.c_size_t),
        ("job_memory_peak", ctypes.c_size_t),
    )


def die_together(process: subprocess.Popen[Any]) -> object:
    """Bind a program's life to this one's: a job that the system ends when its last handle goes.

    Returns:
        what must be kept for as long as the program is to live. Windows may refuse, where this
        program is in a job itself; the other runs without, then.
    """
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - there on Windows only
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = _Limits(flags=_LIMITS)
    size = ctypes.sizeof(limits)
    if kernel.SetInformationJobObject(job, _LIMITS_INFORMATION, ctypes.byref(limits), size):
        kernel.AssignProcessToJobObject(job, ctypes.c_void_p(int(getattr(process, "_handle"))))  # noqa: B009
    return job
