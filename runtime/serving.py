"""`runtime.serve`: an engine that serves a model for as long as a block of code runs."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from runtime.doctor.machine import Machine
from runtime.errors import InputError
from runtime.launch.keeper import Kept
from runtime.launch.parts import Parted, parted
from runtime.launch.plan import Plan, planned
from runtime.launch.start import unpacked
from runtime.launch.target import FOLDER, target_of
from runtime.launch.tools import Tools

_HOST = "127.0.0.1"
_ATTEMPTS = 3  # another program may take the port that was free
_LOG_SHOWN = 2000  # bytes


@dataclass(frozen=True)
class Server:
    """An engine that answers."""

    url: str
    """Such as `http://127.0.0.1:40123`: the web UI, `/health`, `/metrics`."""
    base_url: str
    """The same with `/v1`: what OpenAI's clients want."""
    api_key: str
    """What such clients have to send; any word where no key was asked for."""
    pid: int
    """Of the engine's keeper, which ends with it."""


@contextmanager
def serve(
    path: str | os.PathLike[str],
    *,
    context: int | None = None,
    gpu_layers: int | str | None = None,
    gpu: str | None = None,
    api_key: str | None = None,
    arguments: Sequence[str] = (),
    port: int | None = None,
    timeout: float = 600,
    force: bool = False,
    log: str | os.PathLike[str] | None = None,
) -> Iterator[Server]:
    """Start the engine, wait until it answers, and stop it when the body ends in whatever way.

    No process stays behind when the body raises, nor when this program is killed.

    Args:
        path: as `llamapack run` takes it: a bundle, a GGUF, a folder of models. Parts of a bundle
            have to be joined before.
        context: tokens, `-c`; 0: as trained.
        gpu_layers: `-ngl`: a number, `auto` or `all`.
        gpu: `--gpu`, such as `disable` or `cuda`.
        api_key: what clients have to send.
        arguments: other flags of the engine.
        port: at `127.0.0.1`; by default one that is free.
        timeout: seconds until the model has to be loaded.
        force: start also what does not fit into memory.
        log: a file that gets what the engine says; by default nothing is kept.

    Raises:
        InputError: it cannot be started, does not fit into memory, or does not answer in time.
    """
    words = [*_words(context, gpu_layers, gpu, api_key), *arguments]
    machine = Machine.this()
    plan = _planned(Path(path), words, machine)
    if plan.memory and not force:
        plan.memory.check()
    if port and not _is_free(port):
        # Else what listens there would be taken for the engine, and answer in its place.
        raise InputError(
            f"port {port} of {_HOST} is in use",
            "Choose another, or leave `port` out: one is found.",
        )
    plan = unpacked(plan, machine)
    with open(log, "w+b") if log else tempfile.TemporaryFile() as said:  # noqa: PTH123
        for left in reversed(range(_ATTEMPTS)):
            number = port or _free_port()
            command = [*plan.argv, "--host", _HOST, "--port", str(number)]
            with Kept(plan.engine.program, command, plan.environment, said) as engine:
                url = f"http://{_HOST}:{number}"
                if _healthy(url, engine, time.monotonic() + timeout):
                    yield Server(url, f"{url}/v1", api_key or "none", engine.pid)
                    return
                ended = engine.ended
            if not ended or port or not left:
                raise _failed(path, said, timeout, ended=ended)


def _words(
    context: int | None, gpu_layers: int | str | None, gpu: str | None, api_key: str | None
) -> Iterator[str]:
    flags = {"-c": context, "-ngl": gpu_layers, "--gpu": gpu, "--api-key": api_key}
    for name, value in flags.items():
        if value is not None:
            yield from (name, str(value))


def _planned(path: Path, words: list[str], machine: Machine) -> Plan:
    file = parted(path)
    if isinstance(file, Parted):
        file.join(None, lambda _: None)  # says how
    target = target_of(file.whole if isinstance(file, Parted) else file)
    mode = [] if target.kind == FOLDER else ["--server", "--nobrowser"]
    return planned(target, [*mode, *words], machine, Tools())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":  # on Windows it would let two programs have one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def _healthy(url: str, engine: Kept, deadline: float) -> bool:
    """Wait until the model is loaded; False if the engine ended or took too long."""
    opener = build_opener(ProxyHandler({}))  # no proxy leads to this very machine
    while not engine.ended and time.monotonic() < deadline:
        try:
            with opener.open(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return not engine.ended
        except (URLError, OSError, HTTPException):
            time.sleep(0.05)
    return False


def _failed(
    path: str | os.PathLike[str], said: BinaryIO, timeout: float, *, ended: bool
) -> InputError:
    said.seek(0, os.SEEK_END)
    said.seek(max(said.tell() - _LOG_SHOWN, 0))
    text = said.read().decode("utf-8", "replace").strip()
    how = "ended" if ended else f"did not answer within {timeout:g} seconds"
    return InputError(
        f"the engine for {os.fspath(path)} {how}; it said: {text or 'nothing'}",
        "`log=` keeps all that it says; `arguments=['-v']` makes it say more.",
    )
