"""What `llamapack upgrade` does: gives a bundle, or another tool's llamafile, a new runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from packer.bundle import manifest
from packer.bundle.args import MODEL
from packer.bundle.contents import Head
from packer.bundle.extraction import check_crc
from packer.bundle.pack import packed_runtime
from packer.bundle.recipe import of_bundle
from packer.edit.edition import Edition, changed
from packer.edit.edits import hashes
from packer.edit.members import models_in, without_runtime
from packer.engines import front
from packer.engines.front import APE
from packer.engines.gpu import pins, sources
from packer.engines.gpu.chosen import NONE, chosen
from packer.engines.other_runtimes import dialect_of, ours
from packer.head import windows_exe
from packer.io.digest import Digest
from packer.io.epoch import source_date_epoch
from packer.io.sources import WEIGHTS_ALIGNMENT, is_compressed_weights, is_weights
from runtime.errors import InputError, shell_word
from runtime.formats.args_file import parse, quote, refused
from runtime.formats.bundle import ARGS, FOLDERS, GPU_SOURCES, Bundle
from runtime.formats.file_stream import PieceStream
from runtime.formats.zip_directory import Member


def targets_of(bundle: Bundle) -> list[str]:
    """The targets for which a bundle of llamapack has engines."""
    program = _program(bundle)
    inside = [engine.target for engine in bundle.engines]
    return inside or ([program] if program else [])


def build_head(
    stack: ExitStack, bundle: Bundle, folders: Mapping[str, Path], ui: Path, gpu: str | None
) -> Head:
    """A front of the bundle's kind, engines, GPU modules and sources, web UI. Raises InputError if
    these engines do not fit into a file of this kind, or there is no such GPU module.

    `folders`: of engines, by target. `gpu`: as for `--gpu`; None: the bundle's kinds, or `pack`'s
    default for another tool's file.
    """
    kind = front.kind_of(_program(bundle))
    cmd = manifest.has_cmd(bundle.manifest or {})
    first = front.polyglot(folders, cmd=cmd) if kind == APE else front.native(kind, folders)
    modules = chosen(gpu or _kinds(bundle, folders), folders)
    had = any(name.startswith(GPU_SOURCES) for name in bundle.members)
    auto = sources.AUTO if had or bundle.manifest is None else sources.NO
    wanted = sources.wanted(auto, folders)
    engines, gpu_modules, shared = packed_runtime(stack, folders, modules, wanted, ui)
    others = [*(module.packed for module in gpu_modules), *shared]
    return Head(first, [] if first.is_engine else engines, others)


def _kinds(bundle: Bundle, targets: Iterable[str]) -> str | None:
    """The kinds of GPU modules that a bundle of llamapack has, as `--gpu` takes them."""
    if bundle.manifest is None:
        return None
    names = set(targets)
    fitting = {module.kind for module in pins.load() if module.target in names}
    return ",".join(sorted({one.kind for one in bundle.gpu_modules} & fitting)) or NONE


def too_large_for_windows(bundle: Bundle, folders: Mapping[str, Path]) -> list[str]:
    """Targets among these whose engines are useless in a file of this size."""
    if front.kind_of(_program(bundle)) != APE or manifest.has_cmd(bundle.manifest or {}):
        return []
    size = sum(
        member.compressed_size
        for member in without_runtime(bundle.members.values(), ours=bundle.manifest is not None)
    )
    return windows_exe.divided(windows_exe.AUTO, folders, size)[1]


def is_up_to_date(bundle: Bundle, head: Head) -> bool:
    """Whether the bundle already has this front, these engines, modules and pages."""
    stated = bundle.manifest
    if stated is None:
        return False
    known = manifest.expected(stated, str(bundle.path))
    has = {name: sum_ for name, (_, sum_) in known.items() if name.startswith(FOLDERS)}
    new = {m.name: digest.sha256 for one in head.copied for m, digest in one.members()}
    new |= {name: hashlib.sha256(stub).hexdigest() for name, stub in head.front.stubs.items()}
    return stated.get("front") == manifest.front_entry(head.front) and has == new


@dataclass(frozen=True)
class _Compressed:
    """Weights that another tool has compressed; implements `packer.io.sources.Source`."""

    bundle: Bundle
    member: Member
    sparse: bool = False

    @property
    def size(self) -> int:
        return self.member.size

    def open(self) -> BinaryIO:
        return cast(BinaryIO, PieceStream(piece for piece in self.bundle.stream(self.member)))

    def check(self, found: Digest) -> None:
        check_crc(self.bundle, self.member, found.crc32)


def displaced(bundle: Bundle) -> list[Member]:
    """Weights that no engine can map, because another tool has compressed or moved them."""
    return [
        member
        for member in bundle.members.values()
        if is_compressed_weights(member)
        or (is_weights(member) and bundle.data_offset(member) % WEIGHTS_ALIGNMENT)
    ]


def upgraded(bundle: Bundle, head: Head, *, trust_args: bool = False) -> Edition:
    """The bundle's contents with a new runtime. `trust_args`: accept any arguments of another
    tool's file.

    Raises InputError if it has no weights that an engine can map, a later format, or arguments that
    a file of weights must not set.
    """
    old = bundle.manifest
    known = manifest.expected(old, str(bundle.path)) if old is not None else {}
    kept = without_runtime(bundle.members.values(), ours=old is not None)
    args = None
    if old is None:
        base = _first_manifest(bundle)
        args = _first_args(bundle, base)
    else:
        recipe = of_bundle(bundle)
        base = dict(old) if recipe is None else {**old, "recipe": recipe}
    if not targets_of(bundle) and not trust_args:
        _check_args(bundle, args)
    if args is not None:
        kept = [member for member in kept if member.name != ARGS]
    stored = {
        member.name: _Compressed(bundle, member) for member in kept if is_compressed_weights(member)
    }

    return Edition(
        changed(
            [member for member in kept if member.name not in stored],
            {**base, **head.stated},
            weights=stored,
            others={} if args is None else {ARGS: args.encode()},
        ),
        head=head,
        hashed=hashes(bundle, known),
        epoch=source_date_epoch(),
    )


def _first_args(bundle: Bundle, base: Mapping[str, Any]) -> str | None:
    """The new `.args` of another tool's file; None: unchanged."""
    if ARGS not in bundle.members:
        return f"{MODEL}\n{quote(str(base['models'][0]['file']))}\n"
    text = ours(bundle.args, dialect_of(bundle))
    return None if text == bundle.args else text


def _check_args(bundle: Bundle, args: str | None) -> None:
    """Refuse arguments that only the new engine would obey, with an InputError."""
    words = parse(bundle.args if args is None else args)
    if found := refused(words, bundle.members):
        raise InputError(
            f"{bundle.path}: its arguments have {', '.join(found)}, which a file of weights may "
            "not set",
            "`--trust-args` keeps them; "
            f"`llamapack edit {shell_word(bundle.path)} --args …` replaces them.",
        )


def _program(bundle: Bundle) -> str | None:
    stated = (bundle.manifest or {}).get("front")
    program = stated.get("program") if isinstance(stated, dict) else None
    return program if isinstance(program, str) else None


def _first_manifest(bundle: Bundle) -> dict[str, Any]:
    """The facts for a file without a manifest."""
    models = models_in(bundle)
    if not models:
        raise InputError(
            f"{bundle.path} does not contain a model",
            "Upgrade a file that contains a GGUF, or use `pack`.",
        )
    return {
        "format": manifest.FORMAT,
        "models": [manifest.model_entry(model) for model in models],
        "name": bundle.path.name.removesuffix(".exe").removesuffix(".llamafile"),
    }
