"""The facts for a model card, read from a bundle and the files that it is published as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from packer.bundle.manifest import has_cmd
from packer.bundle.purpose import (
    AUDIO_CHAT,
    CHATS,
    EMBEDDING,
    RERANKER,
    VISION_CHAT,
    missing_options,
)
from packer.engines.gpu import pins
from packer.inspection.summary import described
from packer.metadata.fields import FIELDS, general, stated
from packer.metadata.front_matter import without
from packer.metadata.licenses import license_fields
from packer.parts.layout import Layout
from runtime.errors import InputError
from runtime.formats.args_file import ZIP
from runtime.formats.bundle import BASE_CARD, GPU_SOURCES, LICENSES, MODELS, Bundle
from runtime.formats.gguf_header import Header
from runtime.hub.words import HubWord
from runtime.launch.flags import DEFAULT_CONTEXT, read_flags
from runtime.machine.targets import ARCHITECTURES, SYSTEMS, TARGETS

_DIGITS = 12  # a number of tokens has fewer
_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class File:
    """One file to download."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """64 lower-case hex digits."""
    url: str | None
    """Where it is downloaded; None where no repository was named."""


@dataclass(frozen=True)
class SupportedSystem:
    """One operating system."""

    name: str
    """Such as `Linux`."""
    architectures: tuple[str, ...]
    """Such as `x86-64` and `ARM64`."""
    floor: str
    """The oldest version that the file runs on."""


@dataclass(frozen=True)
class IncludedModule:
    """A GPU module in the bundle."""

    kind: str
    """`cuda`, `hip`, `metal` or `vulkan`."""
    target: str
    needs: str | None
    """What the user's system must have; None for a module that this llamapack does not know."""


@dataclass(frozen=True)
class Task:
    """A task as the Hub knows it."""

    tag: str
    """The Hub's `pipeline_tag`."""
    generates: bool
    """Whether it writes text."""
    images: bool = False
    """Whether it takes images."""


_TASKS = {
    EMBEDDING: Task("feature-extraction", False),
    RERANKER: Task("text-ranking", False),
    VISION_CHAT: Task("image-text-to-text", True, images=True),
    AUDIO_CHAT: Task("audio-text-to-text", True),
}


@dataclass(frozen=True)
class CardFacts:
    """The facts that the templates can use; None or empty if they are not known."""

    front_matter: Mapping[str, Any]
    """By the Hub's names, all of `packer.metadata.fields.FIELDS`."""
    title: str
    description: str | None
    sections: Sequence[tuple[str, str]]
    """Heading and Markdown of the packer's user's own sections; one with the heading of an included
    section replaces it."""
    base_card: str | None
    """Markdown of the base model's card, without its front matter."""
    hub: str
    """Address of the Hub."""
    file: str
    """Name of the bundle, joined if it is published in parts."""
    size: int
    """Bytes of the bundle."""
    files: Sequence[File]
    """The bundle, or its parts in their order."""
    in_parts: bool
    part_size: int
    """Bytes of every part but the last."""
    sums: File
    """The list of hashes; its own is not known."""
    windows_file: File | None
    """The program that starts the bundle on Windows, if it is a separate file."""
    systems: Sequence[SupportedSystem]
    windows: bool
    """Whether it runs on Windows, by itself or by `windows_file`."""
    windows_ending: str
    """What its name must end in for that."""
    program: str | None
    """The target that the file is a native program of; None: it is a shell script (polyglot)."""
    windows_head: bool
    """Whether it begins as Windows programs do, so that other programs may take it for one."""
    model: Mapping[str, Any]
    """The model that it starts with, as in `llamapack inspect --json`."""
    models: Sequence[Mapping[str, Any]]
    """All models that can be read, likewise; each with `sha256` and `member_size` (bytes) of its
    member, or of its first shard."""
    model_id: str
    """The name of the model in the API."""
    task: Task
    conversational: bool
    """Whether it is for chat: there is a template."""
    missing_args: Sequence[str]
    """The options that its purpose needs and its default arguments lack, in bundles of earlier
    versions."""
    context: int | None
    """Tokens that it starts with."""
    args: Sequence[str]
    """Its default arguments."""
    modules: Sequence[IncludedModule]
    compiles: Mapping[str, Sequence[str]]
    """The kinds of modules that `--recompile` can compile, by systems such as `Linux`."""
    license_files: Sequence[str]
    """Names under which the licences of the weights are published."""
    release: str | None
    """llama.cpp's."""
    tool: str


def facts(
    layout: Layout, bundle: Bundle, sums: Mapping[str, str], *, hub: str, repo: HubWord | None
) -> CardFacts:
    """Read the facts for a card.

    Args:
        sums: SHA-256 by name, of all files of `layout`.
        hub: address of the Hub.
        repo: where the files will be.

    Raises:
        InputError: llamapack did not make the bundle, or it has no model that can be read.
    """
    if bundle.manifest is None:
        raise InputError(
            f"{bundle.path} was not made by llamapack: it does not say what is in it",
            "`llamapack upgrade` makes a bundle of another tool's llamafile.",
        )
    found = described(bundle)
    model = _main_model(bundle, found)
    member = bundle.members[model["file"]]
    header = bundle.header(member)
    aim = task(model)
    texts = licence_texts(bundle)
    fields = _fields(bundle.manifest, header, model, aim, next(iter(texts), None))

    def file(name: str, size: int) -> File:
        place = f"{hub}/{repo.repo}/resolve/{quote(repo.revision, safe='')}" if repo else None
        return File(name, size, sums.get(name, ""), f"{place}/{quote(name)}" if place else None)

    beside = layout.windows
    front = bundle.manifest.get("front")
    program = front.get("program") if isinstance(front, dict) else None
    own_systems = systems(_targets(found, program, layout))
    words: list[str] = found["args"]["words"] or []
    return CardFacts(
        front_matter=fields,
        title=str(fields.get("title") or found["name"]),
        description=fields.get("description"),
        sections=_sections(fields.get("sections")),
        base_card=_base_card(bundle),
        hub=hub,
        file=layout.whole.name,
        size=layout.size,
        files=[file(one.name, one.size) for one in layout.files],
        in_parts=layout.in_parts,
        part_size=layout.files[0].size,
        sums=file(f"{layout.whole.name}.sha256", 0),
        windows_file=file(beside.name, beside.size) if beside else None,
        systems=own_systems,
        windows_ending=".cmd" if has_cmd(bundle.manifest) else ".exe",
        windows=any(system.name == "Windows" for system in own_systems),
        program=program,
        windows_head=program is None and bundle.front(2) == b"MZ",
        model=model,
        models=[_with_member(bundle, one) for one in found["models"] if "problem" not in one],
        model_id=model.get("served_as") or model["file"].rpartition("/")[2].removesuffix(".gguf"),
        task=aim,
        conversational=conversational(model),
        missing_args=([] if MODELS in bundle.members else missing_options(model["purpose"], words)),
        context=starting_context(words, model["context_length"]),
        args=words,
        modules=_modules(bundle),
        compiles=_compiles(bundle),
        license_files=list(texts),
        release=next((str(e["llama.cpp"]) for e in found["engines"] if e["llama.cpp"]), None),
        tool=str(found["tool"]),
    )


def licence_texts(bundle: Bundle) -> dict[str, str]:
    """Members with the licences of the weights, by the names under which they are published."""
    names = [name for name in bundle.members if name.startswith(LICENSES) and name[-1] != "/"]
    if len(names) == 1:
        return {"LICENSE": names[0]}
    return {name.removeprefix(LICENSES): name for name in names}


def task(model: Mapping[str, Any]) -> Task:
    """The task of a model, as in `llamapack inspect --json`."""
    return _TASKS.get(model["purpose"], Task("text-generation", True))


def conversational(model: Mapping[str, Any]) -> bool:
    """Whether a model is for chat."""
    return model["purpose"] in CHATS


def systems(targets: Iterable[str]) -> list[SupportedSystem]:
    """The systems of the known ones among these targets, in a fixed order.

    A system with two engines, one with modules and a static one, has the floors of both.
    """
    wanted = set(targets)
    known = [target for target in TARGETS.values() if target.name in wanted]
    return [
        SupportedSystem(
            system.title,
            tuple(
                title
                for arch, title in ARCHITECTURES.items()
                if any((one.os, one.arch) == (system.name, arch) for one in known)
            ),
            " or ".join(dict.fromkeys(one.floor for one in known if one.os == system.name)),
        )
        for system in SYSTEMS.values()
        if any(one.os == system.name for one in known)
    ]


def _fields(
    manifest: Mapping[str, Any],
    header: Header,
    model: Mapping[str, Any],
    aim: Task,
    license_file: str | None,
) -> dict[str, Any]:
    """All that is known under the Hub's names."""
    own, inside = stated(manifest), general(header)
    if "license" in own:
        # Names and links of one licence say nothing about another one.
        inside = {name: value for name, value in inside.items() if not name.startswith("license")}
    if "base_model" in own:
        inside["base_model_relation"] = "quantized"
    unknown: dict[str, Any] = dict.fromkeys(FIELDS)
    fields = unknown | {"library_name": "llamafile", "pipeline_tag": aim.tag} | inside | own
    if model["quantization"] in _FLOATS and "base_model_relation" not in own:
        fields["base_model_relation"] = None
    fields |= dict.fromkeys(("license", "license_name", "license_link"))
    wanted = ["llamafile", "gguf"] + ["conversational"] * conversational(model)
    fields["tags"] = list(
        dict.fromkeys([*wanted, *_list(own.get("tags")), *_list(inside.get("tags"))])
    )
    return fields | license_fields(inside | own, license_file)


def _main_model(bundle: Bundle, found: Mapping[str, Any]) -> dict[str, Any]:
    """The model that the bundle starts with."""
    usable: list[dict[str, Any]] = [
        model for model in found["models"] if model.get("kind") == "model"
    ]
    flags = read_flags(found["args"]["words"] or [])
    named = flags.model.removeprefix(ZIP)
    for model in [one for one in usable if one["file"] == named] + usable:
        return model
    raise InputError(
        f"{bundle.path} holds no model", "Name a bundle with weights, not the `.exe` beside it."
    )


def _targets(found: Mapping[str, Any], program: str | None, layout: Layout) -> list[str]:
    """The targets of the engines in the bundle, the file itself, or the program for Windows."""
    targets = [engine["target"] for engine in found["engines"]]
    if program and not targets:
        targets = [program]
    if layout.windows:
        with Bundle.open(layout.windows.path) as beside:
            targets += [engine.target for engine in beside.engines]
    return targets


def starting_context(words: Sequence[str], trained: int | None) -> int | None:
    """Tokens that the engine starts with: the last `-c` counts, and 0 means all of the model's."""
    stated = read_flags(words).context
    if stated.isdecimal() and len(stated) < _DIGITS:
        return int(stated) or trained
    return min(DEFAULT_CONTEXT, trained) if trained else None


def _modules(bundle: Bundle) -> list[IncludedModule]:
    needs = {(module.kind, module.target): module.needs for module in pins.load()}
    return [
        IncludedModule(one.kind, one.target, needs.get((one.kind, one.target)))
        for one in bundle.gpu_modules
    ]


def _compiles(bundle: Bundle) -> dict[str, list[str]]:
    """Read from the names of its recipes: `gpu-sources/SYSTEM/KIND.json`."""
    kinds: dict[str, list[str]] = {}
    for name in bundle.members:
        place = name.removeprefix(GPU_SOURCES).split("/")
        if name.startswith(GPU_SOURCES) and len(place) == 2 and place[0] in SYSTEMS:
            kinds.setdefault(SYSTEMS[place[0]].title, []).append(place[1].removesuffix(".json"))
    return kinds


def _with_member(bundle: Bundle, model: Mapping[str, Any]) -> dict[str, Any]:
    listed = (bundle.manifest or {}).get("members")
    entry = listed.get(model["file"]) if isinstance(listed, dict) else None
    sha256 = entry.get("sha256") if isinstance(entry, dict) else None
    return {**model, "member_size": bundle.members[model["file"]].size, "sha256": sha256}


def _base_card(bundle: Bundle) -> str | None:
    if BASE_CARD not in bundle.members:
        return None
    return without(bundle.read(BASE_CARD).decode("utf-8-sig", "replace"))


def _sections(value: object) -> list[tuple[str, str]]:
    """Headings with their text: a list of `{title, text}`."""
    entries = value if isinstance(value, list) else []
    return [
        (str(one["title"]), str(one["text"]))
        for one in entries
        if isinstance(one, dict) and {"title", "text"} <= one.keys()
    ]


def _list(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
