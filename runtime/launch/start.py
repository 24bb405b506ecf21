"""Starts engines: in place of this process, or beside it so that they never outlive it.

For the second, a small keeper is between the two on POSIX. It is the engine's parent and reads from
a pipe whose other end this process holds: when this process ends in whatever way, so does the pipe,
and the keeper ends the engine. Forked children hold the pipe, too, so the keeper also checks that
its parent exists. On Linux the kernel ends the engine if the keeper is killed (`PR_SET_PDEATHSIG`,
which counts threads and not processes: so the keeper has only one). On other systems an engine
whose keeper is killed stays. On Windows a job object ends it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.launch import engine_cache
from runtime.launch.plan import Plan
from runtime.machine.machine import Machine

_RESTORED = ("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores, which its programs would inherit."""

_PATIENCE = 20.0  # seconds until a keeper that was asked to end is killed; it waits 15
_LIMITS_INFORMATION = 9  # JobObjectExtendedLimitInformation, winnt.h
# JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE and both of BREAKAWAY_OK: a browser that it opens stays.
_LIMITS = 0x2000 | 0x800 | 0x1000


def unpacked(plan: Plan, machine: Machine) -> Plan:
    """The plan with its engine unpacked; `InputError` if that fails or it does not start."""
    if plan.engine.unpacked:
        return plan
    with Bundle.open(plan.container) as bundle:
        return replace(plan, engine=engine_cache.unpack(bundle, machine))


def hand_over(plan: Plan) -> NoReturn:
    """Become the engine. On Windows: start it, leave Ctrl-C to it, and end with its status."""
    environment = os.environ | plan.environment
    program, argv = str(plan.engine.program), plan.argv
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if sys.platform == "win32":
            raise SystemExit(_run_beside(program, argv, environment))
        for name in _RESTORED:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.execve(program, argv, environment)
    except OSError as error:
        engine_cache.forget_check(plan.engine)
        raise InputError(
            f"{program} does not start: {error.strerror or error}",
            "Start it again: that compares its files with their hashes and replaces damaged ones. "
            "Or run `llamapack doctor`.",
        ) from None


def _run_beside(program: str, argv: list[str], environment: dict[str, str]) -> int:
    # The engine gets Ctrl-C as well, and decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(argv, executable=program, env=environment) as process:
        job = _die_together(process)
        status = process.wait()
        del job  # closing it would have ended the engine
    return status


class Kept:
    """A running program, as a context manager that ends it."""

    def __init__(
        self, program: Path, argv: Sequence[str], environment: Mapping[str, str], said: BinaryIO
    ) -> None:
        """Describe it: `said` gets its output and errors, `environment` is added to ours."""
        self._program, self._argv, self._said = str(program), list(argv), said
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes]
        self._job: object = None

    def __enter__(self) -> Kept:
        if sys.platform == "win32":
            self._process = subprocess.Popen(
                self._argv, executable=self._program, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )  # fmt: skip
            self._job = _die_together(self._process)
            return self
        keeper = Path(__file__).with_name("keeper_process.py")
        # A session of its own: Ctrl-C in a terminal or a notebook is for this program.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(keeper), self._program, *self._argv],
            env=self._environment, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said,
            start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
            # The pipe stays open where the body has forked and its child lives.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None


class _Limits(ctypes.Structure):
    """`JOBOBJECT_EXTENDED_LIMIT_INFORMATION` of winnt.h."""

    _fields_ = (
        ("process_time", ctypes.c_int64), ("job_time", ctypes.c_int64), ("flags", ctypes.c_uint32),
        ("working_set_least", ctypes.c_size_t), ("working_set_most", ctypes.c_size_t),
        ("processes", ctypes.c_uint32), ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32), ("scheduling", ctypes.c_uint32),
        ("io", ctypes.c_uint64 * 6), ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t), ("process_memory_peak", ctypes.c_size_t),
        ("job_memory_peak", ctypes.c_size_t),
    )  # fmt: skip


def _die_together(process: subprocess.Popen[Any]) -> object:
    """Put a program into a job, which Windows ends when its last handle is closed.

    Windows may refuse if this program is in a job itself; the other then runs without one.

    Returns:
        the handle: keep it for as long as the program is to live.
    """
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - there on Windows only
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = _Limits(flags=_LIMITS)
    size = ctypes.sizeof(limits)
    if kernel.SetInformationJobObject(job, _LIMITS_INFORMATION, ctypes.byref(limits), size):
        kernel.AssignProcessToJobObject(job, ctypes.c_void_p(int(getattr(process, "_handle"))))  # noqa: B009
    return job
