"""Writes the statement that ties released bytes to pins, commit and builder.

in-toto Statement v1 (https://in-toto.io/Statement/v1) with the predicate SLSA Provenance v1
(https://slsa.dev/provenance/v1). `llamapack verify --provenance` compares a bundle with it. On
GitHub's runners builder and run are named; elsewhere the builder is this machine's script.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ci.release import checkout
from packer import __version__
from packer.engines import cache, native, pins, sums
from packer.engines.gpu import modules
from packer.inspection.provenance import (
    INSIDE,
    PREDICATE,
    STATEMENT,
    engine_name,
)
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.formats.sha256_file import file_sha256

_BUILD_TYPE = "urn:llamapack:release:1"
_LOCAL_BUILDER = "urn:llamapack:release:1:local"


def write(
    path: Path,
    subjects: Mapping[str, str],
    parameters: Mapping[str, Any],
    earlier: Path | None = None,
) -> None:
    """Write a statement.

    Args:
        subjects: SHA-256 by name.
        parameters: what the person who started the build chose.
        earlier: a statement of the same commit, if it is there, whose dependencies stay.
    """
    source = checkout.commit()
    dependencies = {one["name"]: one for one in _dependencies(source)}
    if earlier and earlier.is_file():
        build = json.loads(earlier.read_bytes())["predicate"]["buildDefinition"]
        stated = {one["name"]: one for one in build["resolvedDependencies"]}
        if stated.get("llamapack", {}).get("digest") == {"gitCommit": source.id}:
            dependencies |= stated
    definition = {
        "buildType": _BUILD_TYPE,
        "externalParameters": dict(parameters),
        "internalParameters": {"modified": source.modified},
        "resolvedDependencies": list(dependencies.values()),
    }
    document = {
        "_type": STATEMENT,
        "predicate": {"buildDefinition": definition, "runDetails": _run()},
        "predicateType": PREDICATE,
        "subject": [
            {"digest": {"sha256": sha256}, "name": name} for name, sha256 in subjects.items()
        ],
    }
    path.write_text(f"{json.dumps(document, indent=2, sort_keys=True)}\n", encoding="utf-8")


def subjects_of(path: Path, bundle: Bundle) -> dict[str, str]:
    """A bundle and its members, by the names that the statement has for them."""
    members = {
        f"{path.name}{INSIDE}{name}": facts["sha256"]
        for name, facts in (bundle.manifest or {})["members"].items()
    }
    members[f"{path.name}{INSIDE}{MANIFEST}"] = hashlib.sha256(bundle.read(MANIFEST)).hexdigest()
    return {path.name: file_sha256(path), **members}


def _dependencies(source: checkout.Commit) -> Iterable[dict[str, Any]]:
    pinned = pins.load(native.directory())
    yield {
        "digest": {"gitCommit": source.id},
        "name": "llamapack",
        "uri": f"git+{repository()}@{source.id}",
    }
    yield {
        "digest": pinned.source.digest,
        "name": "llama.cpp",
        "uri": f"pkg:github/ggml-org/llama.cpp@{pinned.release}",
    }
    yield {
        "digest": pinned.source.digest,
        "name": "package with llama.cpp",
        "uri": pinned.source.address,
    }
    if tls := pinned.boringssl:
        yield {"digest": tls.digest, "name": "package with BoringSSL", "uri": tls.address}
    yield {"name": "zig", "uri": f"pkg:pypi/ziglang@{pinned.zig}"}
    for engine in cache.engines():
        if engine.current:
            yield {
                "annotations": {"key": engine.key},
                "digest": {"sha256": engine.id},
                "name": engine_name(engine.target),
                "uri": f"pkg:generic/llamapack-engine@{__version__}?target={engine.target}",
            }
    for module, folder in modules.found():
        wheel = module.wheel
        made = f"pkg:generic/llamapack-gpu@{__version__}?kind={module.kind}&target={module.target}"
        yield {
            "annotations": {"key": module.key},
            "digest": {"sha256": wheel.sha256 if wheel else sums.read(folder).id},
            "name": f"GPU module {module.title}",
            "uri": wheel.address if wheel else made,
        }


def repository() -> str:
    """Address of the repository as far as the environment tells; else that of nowhere."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else "file:///llamapack"


def _run() -> dict[str, Any]:
    workflow, run = os.environ.get("GITHUB_WORKFLOW_REF"), os.environ.get("GITHUB_RUN_ID")
    if not (workflow and run):
        return {"builder": {"id": _LOCAL_BUILDER}}
    attempt = os.environ.get("GITHUB_RUN_ATTEMPT", "1")
    return {
        "builder": {"id": f"{os.environ.get('GITHUB_SERVER_URL')}/{workflow}"},
        "metadata": {"invocationId": f"{repository()}/actions/runs/{run}/attempts/{attempt}"},
    }
