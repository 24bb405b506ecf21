"""Hands over to an engine: in its place on POSIX, beside it on Windows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import NoReturn

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.launch import engine_cache
from runtime.launch.plan import Plan
from runtime.launch.windows_job import die_together
from runtime.machine.machine import Machine

_RESTORED = ("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores, which its programs would inherit."""


def unpacked(plan: Plan, machine: Machine) -> Plan:
    """The same plan, with its engine unpacked.

    Raises:
        InputError: it cannot be, or does not start here.
    """
    if plan.engine.unpacked:
        return plan
    with Bundle.open(plan.container) as bundle:
        return replace(plan, engine=engine_cache.unpack(bundle, machine))


def hand_over(plan: Plan) -> NoReturn:
    """Become the engine. On Windows: start it, leave Ctrl-C to it, and end with its status.

    Raises:
        InputError: the system does not start it.
    """
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
        job = die_together(process)
        status = process.wait()
        del job  # closing it would have ended the engine
    return status
