"""Runs a command line inside this process as if it were in one of its own."""

from __future__ import annotations

import io
import locale
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import TextIO
from unittest import mock

_READ_AT_START = ("PYTHON", "LC_", "LANG", "HF_")
_AT_START = {k: v for k, v in os.environ.items() if k.startswith(_READ_AT_START)}


def can(environment: Mapping[str, str]) -> bool:
    """Whether nothing here would be another in a new process with these variables.

    Python reads some as it starts, and `huggingface_hub` as it is imported. Only the main thread
    may set signal handlers.
    """
    given = {k: v for k, v in environment.items() if k.startswith(_READ_AT_START)}
    return given == _AT_START and threading.current_thread() is threading.main_thread()


def run(
    main: Callable[[], int],
    words: Sequence[str],
    *,
    cwd: Path | None,
    environment: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Call `main`; what it and its children print and its status, as `subprocess.run` gives them.

    Streams, variables, folder, signal handlers, warnings and hooks are as in a new process, and are
    put back; threads that it started have ended.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with ExitStack() as stack:
            for context in (
                _descriptors(out.fileno(), err.fileno()),
                _streams(),
                _variables(environment),
                chdir(cwd or "."),
                _signals(),
                _complaints(),
                mock.patch.object(sys, "argv", ["llamapack", *words]),
                mock.patch.object(tempfile, "tempdir", None),  # read from TMPDIR once
                _threads(),
            ):
                stack.enter_context(context)
            status = _status(main)
        return subprocess.CompletedProcess(list(words), status, _text(out), _text(err))


def _status(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return 1


def _text(file: io.BufferedRandom | tempfile._TemporaryFileWrapper[bytes]) -> str:
    file.seek(0)
    with io.TextIOWrapper(io.BytesIO(file.read()), locale.getencoding()) as text:
        return text.read()


@contextmanager
def _descriptors(out: int, err: int) -> Iterator[None]:
    """Stdin is empty; stdout and stderr are these, also for children."""
    saved = [os.dup(number) for number in range(3)]
    empty = os.open(os.devnull, os.O_RDONLY)
    try:
        for number, new in enumerate((empty, out, err)):
            os.dup2(new, number)
        yield
    finally:
        for number, old in enumerate(saved):
            os.dup2(old, number)
            os.close(old)
        os.close(empty)


@contextmanager
def _streams() -> Iterator[None]:
    def opened(number: int, errors: str) -> TextIO:
        mode = "w" if number else "r"
        return open(number, mode, encoding="utf-8", errors=errors, closefd=False)

    with (
        opened(0, "surrogateescape") as stdin,
        opened(1, "surrogateescape") as stdout,
        opened(2, "backslashreplace") as stderr,
        mock.patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stderr),
    ):
        stderr.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
        yield


@contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    try:
        with mock.patch.dict(os.environ, environment, clear=True):
            _read_time_zone()
            yield
    finally:
        _read_time_zone()


def _read_time_zone() -> None:
    if sys.platform != "win32":
        time.tzset()


@contextmanager
def _signals() -> Iterator[None]:
    """Handlers are as at a start, but for the alarm of pytest-timeout."""
    fresh = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    for number, handler in fresh.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            if old is not None and signal.getsignal(number) is not old:
                signal.signal(number, old)


@contextmanager
def _complaints() -> Iterator[None]:
    """Warnings, log records and failures in threads go to stderr, not into pytest's lists."""

    def show(message: Warning | str, category: type[Warning], name: str, line: int, *_: object):  # type: ignore[no-untyped-def]
        sys.stderr.write(warnings.formatwarning(message, category, name, line))

    unseen = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
    with (
        warnings.catch_warnings(),
        mock.patch.object(logging.root, "handlers", []),
        mock.patch.object(sys, "unraisablehook", sys.__unraisablehook__),
        mock.patch.object(threading, "excepthook", threading.__excepthook__),
    ):
        warnings.resetwarnings()
        for category in unseen:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield


@contextmanager
def _threads() -> Iterator[None]:
    """Threads that Python would wait for at its end have ended."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:
            thread.join()
