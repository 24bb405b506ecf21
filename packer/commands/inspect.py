"""`llamapack inspect`: shows what is inside a bundle, in milliseconds whatever its size."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packer.commands import Subparsers, print_json
from packer.io.console import printable
from packer.io.sizes import in_words
from runtime.formats.bundle import GPU_SOURCES, START, WEB_UI


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("inspect", help="show what is inside a bundle or a GGUF file")
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="bundle, another llamafile, or GGUF"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument(
        "--recipe",
        action="store_true",
        help="print a TOML recipe; `pack --recipe` makes the same bundle from it and the bundle's "
        "own members",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.recipe:
        from packer.recipes.write import recipe

        print(recipe(args.file), end="")
        return
    from packer.inspection.summary import inspect

    facts = inspect(args.file)
    if args.json:
        print_json(facts)
    else:
        # Text from strangers must not steer the terminal.
        print("\n".join(printable(line) for line in _lines(facts)))


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['file']}  {in_words(facts['size'])}"
    if facts["kind"] == "bundle":
        yield f"bundle {facts['name']}, format {facts['format']}, made by {facts['tool']}"
    elif facts["kind"] == "zip":
        yield "not made by llamapack: a ZIP without manifest (another tool's llamafile?)"
        yield from _runtime_lines(facts["runtime"])
    for model in facts["models"]:
        yield ""
        yield from _model_lines(model)
    if facts["kind"] == "gguf":
        return
    if facts["engines"]:
        yield ""
        yield "engines"
    for engine in facts["engines"]:
        yield (
            f"  {engine['target']:22} llama.cpp {engine['llama.cpp']}  {engine['files']} files  "
            f"{in_words(engine['size'])}, {in_words(engine['compressed_size'])} packed  "
            f"id {engine['id'][:16]}"
        )
    for module in facts["gpu_modules"]:
        yield (
            f"  {module['target']:22} {module['kind']} for its GPU  "
            f"{in_words(module['size'])}, {in_words(module['compressed_size'])} packed"
        )
    groups = {"web UI": WEB_UI, "GPU sources": GPU_SOURCES, "start by cmd.exe": START}
    for group, prefix in groups.items():
        files = [member for member in facts["members"] if member["name"].startswith(prefix)]
        if files:
            size = sum(file["compressed_size"] for file in files)
            yield f"  {group:22} {len(files)} files, {in_words(size)} packed"
    yield ""
    yield "arguments"
    words = facts["args"]["words"]
    yield f"  {' '.join(words)}" if words else "  none" if words == [] else "  unreadable"
    if refused := facts["args"].get("refused"):
        yield f"  refused when another file's engine opens this file: {', '.join(refused)}"
    yield ""
    yield "members"
    for member in facts["members"]:
        if member["name"].startswith((WEB_UI, GPU_SOURCES)):
            continue
        yield (
            f"  {member['size']:>16,}  {member['method']:8}  at {member['offset']:>14,}  "
            f"{member['name']}"
        )


def _runtime_lines(runtime: dict[str, Any]) -> Iterator[str]:
    version = runtime["version"]
    yield f"runtime {version}: {runtime['kind']}" if version else f"runtime {runtime['kind']}"
    image = runtime["pe"]
    rows = {
        "magic": runtime["magic"] if runtime["archs"] or image else None,
        "native": runtime["native"],
        "ELF": ", ".join(runtime["archs"]) or None,
        "PE": image and f"{image['machine']}, headers at {image['offset']:,}",
        "Mach-O": ", ".join(one["target"] for one in runtime["macho"]) or None,
    }
    for key, value in rows.items():
        if value is not None:
            yield f"  {key:13}{value}"


def _model_lines(model: dict[str, Any]) -> Iterator[str]:
    yield f"model {model['file']}"
    if "problem" in model:
        yield f"  {model['problem']}"
        return
    rows = {
        "name": model["name"],
        "served as": model.get("served_as"),
        "kind": model["purpose"] or (None if model["kind"] == "model" else model["kind"]),
        "architecture": model["architecture"],
        "parameters": model["parameters"] and f"{model['parameters']:,}",
        "quantization": model["quantization"],
        "context": model["context_length"] and f"{model['context_length']:,} tokens trained",
        "license": model["license"],
        "template": {"gguf": "its own", "member": "the bundle's"}.get(model["chat_template"]),
        "size": in_words(model["size"]),
        "shards": model.get("shards", 1) if model.get("shards", 1) > 1 else None,
    }
    for key, value in rows.items():
        if value is not None:
            yield f"  {key:13}{value}"
