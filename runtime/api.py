"""The Python API: `runtime.open` for the facts of a model, `runtime.serve` for a server of it."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from runtime.errors import InputError
from runtime.formats.model_facts import ModelFacts
from runtime.launch.archives import Tools
from runtime.launch.memory import memory
from runtime.launch.parts import Bundles, Parted, parted
from runtime.launch.plan import Plan, planned
from runtime.launch.start import Kept, unpacked
from runtime.launch.target import FOLDER, loaded, target_of
from runtime.machine.machine import Machine

_HOST = "127.0.0.1"
_LOG_SHOWN = 2000  # bytes

# An engine prints this when it listens. Older ones print it before, and port 0 if they choose one.
_SERVED = re.compile(rb"^server and web UI: (https?://\S+:(\d+)[^\s]*)[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    """Such as `http://127.0.0.1:40123`: the web UI, `/health`, `/metrics`."""
    base_url: str
    """The same with `/v1`, for OpenAI's clients."""
    api_key: str
    """For such clients; any word if no key was set."""
    pid: int
    """Of the engine's keeper, which ends with it."""


def open(path: str | os.PathLike[str]) -> ModelFacts:
    """The facts of the model that a start of `path` would load, from headers: in milliseconds.

    Args:
        path: a bundle, its first part, a GGUF, its first shard, or a `NAME.exe` with the weights
            beside it.

    Raises:
        InputError: it is none of these, or damaged.
    """
    file = parted(Path(path))
    with Bundles() as bundles:
        target = target_of(file.whole if isinstance(file, Parted) else file, bundles)
        weights = loaded(target, [], bundles).weights
    if target.kind == FOLDER:
        raise InputError(f"{path} is a folder of models", "Name one of the files in it.")
    if weights is None:
        raise InputError(
            f"{path} names weights that are neither inside it nor in its folder",
            "Put them into the same folder.",
        )
    return weights.facts


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
    """Start the engine, wait until it answers, and stop it when the body ends.

    No process is left when the body raises, or when this program is killed.

    Args:
        path: a bundle, a GGUF, or a folder of models. Parts of a bundle have to be joined before.
        context: tokens, `-c`; 0: as trained.
        gpu_layers: `-ngl`: a number, `auto` or `all`.
        gpu: `--gpu`, such as `disable` or `cuda`.
        api_key: required from clients.
        arguments: other flags of the engine.
        port: at `127.0.0.1`; by default a free one.
        timeout: seconds for loading the model.
        force: also start a model that does not fit into memory.
        log: a file for the engine's output; by default it is not kept.

    Raises:
        InputError: it cannot be started, does not fit into memory, or does not answer in time.
    """
    words = [*_words(context, gpu_layers, gpu), *arguments]
    machine = Machine.this()
    plan = _planned(Path(path), words, machine)
    plan = unpacked(plan, machine)
    if not force and (use := memory(plan, machine)):
        use.check()
    command = [*plan.argv, "--host", _HOST, "--port", str(port or 0)]
    # Every local user can read the words of a process.
    environment = plan.environment | ({"LLAMA_API_KEY": api_key} if api_key else {})
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryDirectory() as folder:
        place = Path(log) if log else Path(folder) / "log"
        with (
            place.open("wb") as said,
            Kept(plan.engine.program, command, environment, said) as engine,
        ):
            url = _address(path, place, engine, deadline)
            if not url or not _healthy(url, engine, deadline):
                raise _failed(path, place, timeout, ended=engine.ended)
            yield Server(url, f"{url}/v1", api_key or "none", engine.pid)


def _words(context: int | None, gpu_layers: int | str | None, gpu: str | None) -> Iterator[str]:
    flags = {"-c": context, "-ngl": gpu_layers, "--gpu": gpu}
    for name, value in flags.items():
        if value is not None:
            yield from (name, str(value))


def _planned(path: Path, words: list[str], machine: Machine) -> Plan:
    file = parted(path)
    if isinstance(file, Parted):
        file.join(None, lambda _: None)  # says how
    path = file.whole if isinstance(file, Parted) else file
    mode = [] if path.is_dir() else ["--server", "--nobrowser"]
    return planned(path, [*mode, *words], machine, Tools())


def _address(
    path: str | os.PathLike[str], place: Path, engine: Kept, deadline: float
) -> str | None:
    """Wait for the address that the engine prints; None if it ended or took too long."""
    while not engine.ended and time.monotonic() < deadline:
        served = _SERVED.search(place.read_bytes())
        if served and served[2] == b"0":
            raise InputError(
                f"the engine of {os.fspath(path)} is too old to choose a free port",
                "Replace it with `llamapack upgrade`, or pass `port=`.",
            )
        if served:
            return served[1].decode()
        time.sleep(0.02)
    return None


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
    path: str | os.PathLike[str], place: Path, timeout: float, *, ended: bool
) -> InputError:
    text = place.read_bytes()[-_LOG_SHOWN:].decode("utf-8", "replace").strip()
    how = "ended" if ended else f"did not answer within {timeout:g} seconds"
    return InputError(
        f"the engine for {os.fspath(path)} {how}; it said: {text or 'nothing'}",
        "`log=` saves its whole output; `arguments=['-v']` makes it print more.",
    )
