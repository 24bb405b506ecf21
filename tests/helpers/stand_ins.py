"""Makers of small GGUF files and engines, and the command line."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, quants

from helpers import in_process
from packer import cli
from packer.engines import cache as engines
from packer.engines import front, native, pins

ENGINE_FILES = {
    "libggml-base.so": b"\x7fELF base " * 4000,
    "libggml-cpu-haswell.so": bytes(range(256)) * 300,
    "llamapack-engine": b"#!/bin/sh\necho engine\n" * 500,
}


_NOTHING: Mapping[str, bool | int | list[str]] = {}


def write_gguf(
    path: Path,
    *,
    name: str = "Tiny",
    shard: tuple[int, int, int] | None = None,
    tensors: Sequence[str] = ("token_embd.weight", "output.weight"),
    kind: str = "model",
    template: str | None = "{{ messages }}",
    tokens: int = 300,
    seed: int = 1,
    architecture: str = "llama",
    facts: Mapping[str, bool | int | list[str]] = _NOTHING,
) -> Path:
    """A small model; `shard` is (number from 0, count, tensors in all shards), `facts` are more
    metadata."""
    writer = GGUFWriter(path, architecture)
    for key, value in facts.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            (writer.add_bool if isinstance(value, bool) else writer.add_uint32)(key, value)
    writer.add_name(name)
    writer.add_type(kind)
    writer.add_license("apache-2.0")
    writer.add_context_length(2048)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_token_list([f"<token-{n}>" for n in range(tokens)])
    writer.add_token_scores([float(n) for n in range(tokens)])
    if template is not None:
        writer.add_chat_template(template)
    if shard is not None:
        writer.add_uint16("split.no", shard[0])
        writer.add_uint16("split.count", shard[1])
        writer.add_int32("split.tensors.count", shard[2])
    random = np.random.default_rng(seed)
    for tensor in tensors:
        data = random.standard_normal((8, 64), dtype=np.float32)
        packed = quants.quantize(data, GGMLQuantizationType.Q8_0)
        writer.add_tensor(tensor, packed, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_engine(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """A folder as `packer.engines.cache` makes them, with stand-ins for the programs."""
    folder.mkdir(parents=True)
    contents = ENGINE_FILES if files is None else files
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    sums = "".join(
        f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents)
    )
    (folder / "SHA256SUMS").write_text(sums)
    release = pins.load(native.directory()).release
    facts = {"id": hashlib.sha256(sums.encode()).hexdigest(), "llama.cpp": release}
    (folder / "engine.json").write_text(json.dumps(facts))
    return folder


def write_web_ui(folder: Path) -> Path:
    """Pages as npm builds them."""
    (folder / "_app").mkdir(parents=True)
    (folder / "index.html").write_text("<html>" * 100)
    (folder / "_app" / "page.js").write_text("let x;" * 100)
    return folder


# The command line in a process of its own, with engines and front from these tests: building real
# ones takes minutes and is tested elsewhere.
_MAGIC = b"jartsr='\n'\n"
_PROGRAM = f"""
import sys
from pathlib import Path
from packer import cli; from packer.engines import cache as engines, front
engine, web_ui = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
engines.chosen = lambda targets: {{"linux-x86_64": engine}}
engines.web_ui = lambda: web_ui
head = {_MAGIC!r}.ljust(65536, b"\\0")
front.polyglot = lambda targets, cmd=False: front.Front(head + b"stub".ljust(65536, b"\\0"))
raise SystemExit(cli.main())
"""

_HANDS_OVER = ("run", "demo")
"""Commands that become another program."""

_HEAD, _STUB = _MAGIC.ljust(65536, b"\0"), b"stub".ljust(65536, b"\0")


class CommandLine:
    """Runs `llamapack` with a stand-in engine: in this process, or in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.engine = write_engine(folder / "engine")
        self.web_ui = write_web_ui(folder / "web-ui")
        self.environment = {
            **{k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"},
            "LLAMAPACK_BUILD_CACHE": str(folder / "cache"),
        }
        self._first = ""

    def beginning(self, first: str) -> CommandLine:
        """The same, with Python that every command runs before anything else."""
        other = copy.copy(self)
        other._first = first
        return other

    def command(self, *words: str | Path, first: str = "") -> list[str]:
        """The process's words; `first` is Python that it runs before anything else."""
        return [
            sys.executable,
            "-c",
            self._first + first + _PROGRAM,
            str(self.engine),
            str(self.web_ui),
            *map(str, words),
        ]

    def __call__(
        self, *words: str | Path, cwd: Path | None = None, first: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in this process if that makes no difference, as with `process` if it does.

        Tests that kill, measure, or have a stdin use `command` or `process` themselves.
        """
        variables = {**self.environment, **environment}
        if self._first or first or str(words[0]) in _HANDS_OVER or not in_process.can(variables):
            return self.process(*words, cwd=cwd, first=first, **environment)
        command = list(map(str, words))
        with (
            mock.patch.object(engines, "chosen", return_value={"linux-x86_64": self.engine}),
            mock.patch.object(engines, "web_ui", return_value=self.web_ui),
            mock.patch.object(front, "polyglot", return_value=front.Front(_HEAD + _STUB)),
        ):
            return in_process.run(
                lambda: cli.main(command), command, cwd=cwd, environment=variables
            )

    def ran(
        self, *words: str | Path, cwd: Path | None = None, first: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """The same for a command that has to succeed."""
        done = self(*words, cwd=cwd, first=first, **environment)
        assert done.returncode == 0, done.stderr
        return done

    def process(
        self, *words: str | Path, cwd: Path | None = None, first: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, first=first),
            cwd=cwd,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


Refused = Callable[[subprocess.CompletedProcess[str]], str]
Publish = Callable[..., subprocess.CompletedProcess[str]]
"""`llamapack publish` of the small bundle, with further words."""
