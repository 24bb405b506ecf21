"""The plan of a start: engine, words, environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.formats.weights import is_gguf
from runtime.launch import archives, engine_cache
from runtime.launch.archives import Tools
from runtime.launch.engine_cache import CachedEngine
from runtime.launch.parts import Bundles
from runtime.launch.target import BUNDLE, FOLDER, GGUF, Loaded, StartTarget, loaded, target_of
from runtime.machine.machine import Machine

_ROUTER_PORT = "8080"  # as the engine's other modes have it


@dataclass(frozen=True)
class Plan:
    """One start."""

    target: StartTarget
    container: Path
    """The bundle or archive that the engine comes from, with its GPU modules and web UI."""
    engine: CachedEngine
    words: tuple[str, ...]
    """The engine's arguments."""
    loaded: Loaded

    @property
    def argv(self) -> list[str]:
        """The engine's words, with its own name first."""
        own = self.container == self.target.path
        return [str(self.target.path) if own else str(self.engine.program), *self.words]

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the engine, in addition to our own."""
        return {"LLAMAPACK_BUNDLE": str(self.container.resolve())}

    @property
    def command_line(self) -> str:
        """A shell command that starts the same."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*settings, shlex.join([str(self.engine.program), *self.words])])

    def facts(self) -> dict[str, Any]:
        """The plan, for `--json`."""
        weights, engine = self.loaded.weights, self.engine
        return {
            "target": str(self.target.path),
            "kind": self.target.kind,
            "engine": {
                "target": engine.engine.target,
                "id": engine.engine.id,
                "program": str(engine.program),
                "unpacked": engine.unpacked,
                "from": str(self.container),
            },
            "command": [str(engine.program), *self.words],
            "environment": self.environment,
            "model": weights and {"file": weights.name, **asdict(weights.facts)},
        }


def planned(path: Path, words: Sequence[str], machine: Machine, tools: Tools) -> Plan:
    """Plan the start of a bundle, a model or a folder of models with the user's words.

    Nothing is unpacked yet; `tools` make or fetch engines if none are installed.

    Raises:
        InputError: there is no engine for this machine, or the model cannot be read.
    """
    with Bundles() as bundles:
        target = target_of(path, bundles)
        container = _container(target, machine, tools, bundles)
        bundle = bundles.opened(container)
        engine = engine_cache.find(bundle, machine)
        if engine is None:
            raise _no_engine(f"no engine of {container} starts on this {machine.target}")
        what = loaded(target, words, bundles, container)
    return Plan(target, container, engine, tuple(_words(target, container, words)), what)


def _container(target: StartTarget, machine: Machine, tools: Tools, bundles: Bundles) -> Path:
    """The bundle or archive to take the engine from."""
    own = [target.path] if target.kind == BUNDLE else []
    if target.weights and not is_gguf(target.weights):
        own.append(target.weights)
    there: list[str] = []
    for path in own:
        bundle = bundles.opened(path)
        if engine_cache.host_engines(bundle, machine):
            return path
        there += [engine.target for engine in bundle.engines]
    found = tools.provide(machine) or archives.newest(machine)
    if found:
        return found
    if target.kind == BUNDLE:
        inside = ", ".join(there) or "none at all"
        raise _no_engine(f"{target.path} has no engine for {machine.target}; it has: {inside}")
    raise _no_engine(f"no engine for {machine.target} is installed, which {target.path} needs")


def _no_engine(what: str) -> InputError:
    return InputError(
        what,
        "`llamapack engine fetch` brings one, `llamapack engine build` builds one; a `.llamafile` "
        "brings its own.",
    )


def _words(target: StartTarget, container: Path, words: Sequence[str]) -> list[str]:
    if target.kind == GGUF:
        return ["-m", str(target.path), *words]
    if target.kind == FOLDER:
        # The router takes flags of upstream's server alone.
        rest = [word for word in words if word not in ("--server", "--nobrowser", "--no-browser")]
        given = "--port" in rest or os.environ.get("LLAMA_ARG_PORT")
        port = [] if given else ["--port", _ROUTER_PORT]
        return ["serve", "--models-dir", str(target.path), *port, *rest]
    if container == target.path:
        return list(words)
    return ["-m", str(target.weights or target.path), *words]
