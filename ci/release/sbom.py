"""Writes the bill of materials of a bundle: CycloneDX 1.6, JSON, with the weights as ML-BOM.

Format: https://cyclonedx.org/docs/1.6/json/. The schema that comes with cyclonedx-python-lib checks
every document before it is written; that library itself has no model cards yet.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import fixup_id
from cyclonedx.validation.json import JsonStrictValidator

from packer import __version__
from packer.engines import native, pins, source
from packer.engines.gpu import modules
from packer.inspection.summary import described
from packer.io.epoch import source_date_epoch
from packer.metadata.card import Task, task
from runtime.formats.bundle import Bundle

_VENDORED = {
    "cpp-httplib": ("MIT", "cpp-httplib/httplib.h", r'CPPHTTPLIB_VERSION "([\d.]+)"'),
    "miniaudio": ("MIT-0", "miniaudio/miniaudio.h", r"miniaudio - v([\d.]+)"),
    "nlohmann-json": ("MIT", "nlohmann/json.hpp", r"version ([\d.]+)"),
    "stb_image": ("MIT", "stb/stb_image.h", r"stb_image - v([\d.]+)"),
    "subprocess.h": ("Unlicense", "sheredom/subprocess.h", r"version ([\d.]+)"),
}
"""What llama.cpp brings along and compiles in: licence, and where a file states the version."""

_ALGORITHMS = {"sha256": "SHA-256", "sha512": "SHA-512"}

_OUTPUTS = {"feature-extraction": "embedding", "text-ranking": "score"}


def write(path: Path, bundle: Bundle, sha256: str) -> None:
    """Write the bill of materials of a bundle.

    Args:
        sha256: of the whole bundle; two bundles have two serial numbers.

    Raises:
        RuntimeError: the document is not what the schema asks for.
    """
    manifest = bundle.manifest or {}
    components = [
        *weights(bundle),
        *_software(manifest),
    ]
    root = {
        "bom-ref": "bundle",
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "name": manifest["name"],
        "type": "application",
        "version": sha256[:12],
    }
    tool = {"name": "llamapack", "type": "application", "version": __version__}
    time = datetime.fromtimestamp(source_date_epoch(), UTC)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "components": components,
        "dependencies": [
            {"dependsOn": sorted(one["bom-ref"] for one in components), "ref": "bundle"}
        ],
        "metadata": {
            "component": root,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [tool]},
        },
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, sha256)}",
        "specVersion": "1.6",
        "version": 1,
    }
    text = f"{json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)}\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise RuntimeError(f"{path} would be no CycloneDX 1.6: {problem}")
    path.write_text(text, encoding="utf-8")


def weights(bundle: Bundle) -> list[dict[str, Any]]:
    """A component with a model card for each model, projector and adapter in a bundle."""
    models = [one for one in described(bundle)["models"] if "problem" not in one]
    return [_component(bundle, model) for model in models]


def _component(bundle: Bundle, model: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "gguf:context_length": model["context_length"],
        "gguf:kind": model["kind"],
        "gguf:parameters": model["parameters"],
        "gguf:quantization": model["quantization"],
        "gguf:size": model["size"],
    }
    parameters: dict[str, Any] = {}
    if model["kind"] == "model":
        aim = task(model)
        parameters = {
            "inputs": [{"format": one} for one in _inputs(aim)],
            "outputs": [{"format": _OUTPUTS.get(aim.tag, "text")}],
            "task": aim.tag,
        }
    if model["architecture"]:
        parameters["architectureFamily"] = model["architecture"]
    component = {
        "bom-ref": f"weights/{model['file']}",
        "modelCard": {"modelParameters": parameters},
        "name": model["name"] or model["file"],
        "properties": [
            {"name": name, "value": str(value)}
            for name, value in facts.items()
            if value is not None
        ],
        "type": "machine-learning-model",
    }
    stated = (bundle.manifest or {})["members"]
    if model["shards"] == 1:
        component["hashes"] = _hash(stated[model["file"]]["sha256"])
    else:
        first, _, count = model["file"].rpartition("-00001-of-")
        names = [f"{first}-{n:05}-of-{count}" for n in range(1, model["shards"] + 1)]
        component["components"] = [
            {"hashes": _hash(stated[name]["sha256"]), "name": name, "type": "file"}
            for name in names
        ]
    if model["license"]:
        spdx = fixup_id(model["license"])
        component["licenses"] = [{"license": {"id": spdx} if spdx else {"name": model["license"]}}]
    return component


def _inputs(aim: Task) -> list[str]:
    others = {"image-text-to-text": ["image"], "audio-text-to-text": ["audio"]}
    return ["text", *others.get(aim.tag, [])]


def _software(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The programs in the bundle, and what they were compiled from."""
    pinned = pins.load(native.directory())
    yield {
        "bom-ref": "llama.cpp",
        "externalReferences": [
            {
                "hashes": [
                    {"alg": _ALGORITHMS[name], "content": value}
                    for name, value in pinned.source.digest.items()
                    if name in _ALGORITHMS
                ],
                "type": "source-distribution",
                "url": pinned.source.address,
            }
        ],
        "licenses": _spdx("MIT"),
        "name": "llama.cpp",
        "purl": f"pkg:github/ggml-org/llama.cpp@{pinned.release}",
        "type": "library",
        "version": pinned.release,
    }
    yield from _vendored(source.ready(pinned) / "vendor")
    if tls := pinned.boringssl:
        yield {
            "bom-ref": "boringssl",
            "description": f"folder {tls.folder} of {tls.title}",
            "licenses": _spdx("Apache-2.0"),
            "name": "BoringSSL",
            "purl": tls.address,
            "type": "library",
            "version": tls.version,
        }
    yield {
        "bom-ref": "zig",
        "description": "C and C++ libraries (libc++, compiler-rt, musl or MinGW) linked in",
        "licenses": _spdx("MIT"),
        "name": "zig",
        "purl": f"pkg:pypi/ziglang@{pinned.zig}",
        "type": "library",
        "version": pinned.zig,
    }
    for target, facts in manifest["engines"].items():
        yield {
            "bom-ref": f"engine/{target}",
            "description": f"llama.cpp {facts['llama.cpp']} for {target}",
            "hashes": _hash(facts["id"]),
            "licenses": _spdx("Apache-2.0"),
            "name": f"llamapack-engine {target}",
            "type": "application",
            "version": __version__,
        }
    for module, _ in modules.found():
        inside = f"gpu/{module.target}/{module.kind}/{module.name}"
        if inside in manifest["members"]:
            yield {
                "bom-ref": inside,
                "hashes": _hash(manifest["members"][inside]["sha256"]),
                "licenses": _spdx("MIT"),
                "name": f"ggml {module.title}",
                **({"purl": module.wheel.address} if module.wheel else {}),
                "type": "library",
                "version": pinned.release,
            }


def _vendored(folder: Path) -> Iterator[dict[str, Any]]:
    for name, (license_, file, pattern) in _VENDORED.items():
        component = {
            "bom-ref": f"llama.cpp/{name}",
            "licenses": _spdx(license_),
            "name": name,
            "type": "library",
        }
        text = (folder / file).read_text(encoding="utf-8", errors="replace")
        if stated := re.search(pattern, text):
            component["version"] = stated[1]
        yield component


def _hash(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _spdx(id_: str) -> list[dict[str, Any]]:
    return [{"license": {"id": id_}}]
