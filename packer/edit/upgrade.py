"""What `llamapack upgrade` does: gives a bundle, or another tool's llamafile, a new runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from packer.bundle import Head, manifest
from packer.bundle.args import MODEL
from packer.bundle.recipe import of_bundle
from packer.edit.edition import Edition, changed
from packer.edit.edits import hashes
from packer.edit.models import models_in
from packer.edit.runtime_members import FOLDERS, without_runtime
from packer.engines import front
from packer.engines.archives.engine import packed_engine
from packer.engines.archives.web_ui import packed_web_ui
from packer.engines.foreign.args import dialect_of, ours
from packer.engines.front import APE
from packer.engines.gpu import pins, sources
from packer.engines.gpu.archive import packed_module
from packer.engines.gpu.chosen import NONE, chosen
from packer.head import windows_exe
from packer.io.epoch import source_date_epoch
from runtime.errors import InputError
from runtime.formats.args_file import parse, quote, refused
from runtime.formats.bundle import ARGS, GPU_SOURCES, Bundle


def targets_of(bundle: Bundle) -> list[str]:
    """What a bundle of llamapack has engines for."""
    program = _program(bundle)
    inside = [engine.target for engine in bundle.engines]
    return inside or ([program] if program else [])


def build_head(
    stack: ExitStack, bundle: Bundle, folders: Mapping[str, Path], ui: Path, gpu: str | None
) -> Head:
    """A front of the same kind as the bundle has, engines, GPU modules and sources, web UI.

    Args:
        folders: of engines, by target.
        ui: folder of the web UI.
        gpu: what `--gpu` says; None: the kinds that the bundle has, in a file of another tool those
            that `pack` takes.

    Raises:
        InputError: these engines do not go into a file of this kind, or there is no such module.
    """
    kind = front.kind_of(_program(bundle))
    first = front.polyglot(folders) if kind == APE else front.native(kind, folders)
    engines = {} if first.is_engine else folders
    modules = chosen(gpu or _kinds(bundle, folders), folders)
    llama_cpp = sources.wanted(_sources(bundle), folders)
    others = [stack.enter_context(packed_module(one, path)).packed for one, path in modules]
    if llama_cpp:
        others.append(stack.enter_context(sources.packed_sources(llama_cpp, folders)))
    others.append(stack.enter_context(packed_web_ui(ui)))
    return Head(
        first,
        [stack.enter_context(packed_engine(name, folder)) for name, folder in engines.items()],
        others,
    )


def _kinds(bundle: Bundle, targets: Iterable[str]) -> str | None:
    """The kinds of GPU modules that a bundle of llamapack has, as `--gpu` takes them."""
    if bundle.manifest is None:
        return None
    names = set(targets)
    fitting = {module.kind for module in pins.load() if module.target in names}
    return ",".join(sorted({one.kind for one in bundle.gpu_modules} & fitting)) or NONE


def _sources(bundle: Bundle) -> str:
    had = any(name.startswith(GPU_SOURCES) for name in bundle.members)
    return sources.AUTO if had or bundle.manifest is None else sources.NO


def too_large_for_windows(bundle: Bundle, folders: Mapping[str, Path]) -> list[str]:
    """Those of these targets whose engines would be of no use in so large a file."""
    if front.kind_of(_program(bundle)) != APE:
        return []
    size = sum(
        member.compressed_size
        for member in without_runtime(bundle.members.values(), ours=bundle.manifest is not None)
    )
    return windows_exe.divided(windows_exe.AUTO, folders, size)[1]


def is_up_to_date(bundle: Bundle, head: Head) -> bool:
    """Whether the bundle has this front, these engines and what they use."""
    stated = bundle.manifest
    if stated is None:
        return False
    known = manifest.expected(stated, str(bundle.path))
    has = {name: sum_ for name, (_, sum_) in known.items() if name.startswith(FOLDERS)}
    new = {m.name: digest.sha256 for one in head.copied for m, digest in one.members()}
    return stated.get("front") == manifest.front_entry(head.front) and has == new


def upgraded(bundle: Bundle, head: Head, *, trust_args: bool = False) -> Edition:
    """The new contents of `bundle`: all that it has, with a new runtime.

    Args:
        trust_args: take the arguments of another tool's file for our engine, whatever they say.

    Raises:
        InputError: it holds no weights that an engine could map, is of a later format, or has
            arguments that a file of weights may not decide, and no engine of ours that obeys them.
    """
    old = bundle.manifest
    known = manifest.expected(old, str(bundle.path)) if old is not None else {}
    kept = without_runtime(bundle.members.values(), ours=old is not None)
    base = {**old, **_recipe(bundle)} if old is not None else _first_manifest(bundle)
    args = None
    if old is None:
        args = _first_args(bundle, base)
    if not targets_of(bundle) and not trust_args:
        _check_args(bundle, args)
    if args is not None:
        kept = [member for member in kept if member.name != ARGS]

    return Edition(
        changed(
            kept,
            {**base, **head.stated},
            others={} if args is None else {ARGS: args.encode()},
        ),
        head=head,
        hashed=hashes(bundle, known),
        epoch=source_date_epoch(),
    )


def _recipe(bundle: Bundle) -> dict[str, Any]:
    recipe = of_bundle(bundle)
    return {} if recipe is None else {"recipe": recipe}


def _first_args(bundle: Bundle, base: Mapping[str, Any]) -> str | None:
    """What `.args` becomes where another tool's program read it; None: it stays."""
    if ARGS not in bundle.members:
        return f"{MODEL}\n{quote(str(base['models'][0]['file']))}\n"
    text = ours(bundle.args, dialect_of(bundle))
    return None if text == bundle.args else text


def _check_args(bundle: Bundle, args: str | None) -> None:
    """Refuse what only the new engine would obey.

    Raises:
        InputError: there is such an argument.
    """
    words = parse(bundle.args if args is None else args)
    if found := refused(words, bundle.members):
        raise InputError(
            f"{bundle.path}: its arguments have {', '.join(found)}, which a file of weights may "
            "not set",
            f"`--trust-args` keeps them; `llamapack edit {bundle.path} --args …` replaces them.",
        )


def _program(bundle: Bundle) -> str | None:
    stated = (bundle.manifest or {}).get("front")
    program = stated.get("program") if isinstance(stated, dict) else None
    return program if isinstance(program, str) else None


def _first_manifest(bundle: Bundle) -> dict[str, Any]:
    """What a manifest says from the start, of a file that has none."""
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
