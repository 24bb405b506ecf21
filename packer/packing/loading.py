"""Asks an engine whether it loads the models that are to be packed, before anything is written.

The question is `--probe-memory` of native/engine/modes/mode_probe.cpp: the engine reads the header
and the vocabulary as at a start, and no weights.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from packer.bundle.args import engine_here
from packer.engines.cache import runnable
from packer.io.console import warning
from packer.io.sources import FileWeights, WeightsSource
from packer.weights.inputs import Inputs
from runtime.errors import InputError
from runtime.formats.gguf_header import Header

_SECONDS = 60  # of one answer, which takes a tenth for small vocabularies
_QUESTION = ("--probe-memory", "--gpu", "disable", "-m")
_OURS = ("LLAMAPACK_", "LLAMA_ARG_")
_CAUSE = re.compile(
    r"^(?:ERROR .*?(?:the model cannot be read: |(?=no context can be made))"
    r"|gguf_init_from_reader: )(.+)$",
    re.MULTILINE,
)
_UNKNOWN = re.compile(
    r"unknown model (architecture): '(.+)'|has invalid (ggml type) (\d+)\. should be in \[0,"
)
_ALIGNMENT = 32
"""Bytes: a start aborts where a mapped tensor is not at a multiple of it; a question maps none."""
_CRASHES = frozenset({-4, -6, -8, -11})  # SIGILL, SIGABRT, SIGFPE, SIGSEGV


def check_models(inputs: Inputs, engines: Mapping[str, Path]) -> None:
    """Warn of models that the engine does not know yet, and refuse those that none could load.

    Args:
        engines: folders of those that are to be packed, by target; if none of them runs on this
            machine, another engine that does is asked; without any, nothing is.

    Raises:
        InputError: the engine cannot load one of the models.
    """
    program = engine_here(engines) or (runnable() if engines else None)
    if program is None:
        return
    for model in inputs.models:
        weights = inputs.weights_of(model.file)
        with _readable(weights) as path:
            cause = _cause(program, path) if path else None
        cause = cause or _unaligned(weights.header())
        if cause is None:
            continue
        if unknown := _UNKNOWN.search(cause):
            what, name = filter(None, unknown.groups())
            warning(
                f"{weights}: this llama.cpp does not know the {what} {name!r}; the bundle will not "
                "start before an upgrade to an engine that does"
            )
            continue
        raise InputError(
            f"{weights}: the engine cannot load it: {cause}",
            "Convert the model again with a current converter, or download it again.",
        )


def _unaligned(header: Header) -> str | None:
    for tensor in header.tensors:
        if (header.data_offset + tensor.offset) % _ALIGNMENT:
            return f"tensor {tensor.name!r} is not at a multiple of {_ALIGNMENT} bytes"
    return None


@contextmanager
def _readable(weights: WeightsSource) -> Iterator[Path | None]:
    """A file that the engine can open: the model itself, or its header with a hole behind it; None
    for several shards in an archive."""
    if isinstance(weights, FileWeights):
        yield weights.path
        return
    header, source = weights.header(), weights.source()
    if header.metadata.get("split.count", 0) not in (0, 1):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path: Path | None = Path(folder) / "model.gguf"
        try:
            with source.open() as stream, Path(folder, "model.gguf").open("wb") as file:
                left = header.data_offset
                # What is inflated comes in pieces.
                while left > 0 and (piece := stream.read(left)):
                    left -= file.write(piece)
                file.truncate(source.size)
        except OSError:  # more than the file system of temporary files can have
            path = None
        yield path


def _cause(program: Path, model: Path) -> str | None:
    """Why the engine does not load a model, in upstream's words; None if it does, or if what went
    wrong need not be the model's fault."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(
            [program, *_QUESTION, model],
            env=environment | {"GGML_NO_BACKTRACE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace")
    if found := _CAUSE.search(said):
        return found[1].strip()
    return "the program crashes" if done.returncode in _CRASHES else None
