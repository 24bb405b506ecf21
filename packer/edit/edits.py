"""What `llamapack edit` does: from wishes to the new contents of a bundle."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packer.bundle import manifest, recipe
from packer.bundle.args import LORA, MMPROJ, Args, check_options
from packer.bundle.args import MODEL as MODEL_FLAG
from packer.bundle.contents import check_bundle_name, check_member_name
from packer.bundle.extraction import members_named
from packer.bundle.purpose import EMBEDDING, POOLING, options_of, pooling_of, purpose_of
from packer.edit.edition import Edition, changed
from packer.edit.members import entries, served_models, with_shards, with_template
from packer.engines.cache import finished
from packer.engines.other_runtimes import dialect_of, ours, rewritten
from packer.io.epoch import source_date_epoch
from packer.io.sources import FileSource, FileWeights
from packer.weights.inputs import Inputs
from runtime.errors import InputError, shell_word
from runtime.formats.args_file import parse
from runtime.formats.bundle import ARGS, FOLDERS, MANIFEST, MODELS, TEMPLATE, Bundle
from runtime.formats.gguf_header import MAGIC, Header, read_header_of
from runtime.formats.model_facts import ADAPTER, MODEL, PROJECTOR, kind_of
from runtime.launch.flags import with_values


@dataclass(frozen=True)
class Edits:
    """What the user wants to be changed."""

    args: str | None = None  # the user's own part of `.args`
    add: Sequence[Path] = ()
    remove: Sequence[str] = ()
    template: bytes | None = None  # a new chat template
    no_template: bool = False  # whether the bundle's own chat template is to go
    name: str | None = None
    force: bool = False  # whether members may be replaced by new ones of the same name


@dataclass
class _Added:
    inputs: Inputs = field(default_factory=Inputs)
    files: dict[str, FileSource] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """What `.args` is to say of projectors and adapters."""

    @property
    def names(self) -> list[str]:
        return [*self.inputs.sources, *self.files]


def edited(bundle: Bundle, edits: Edits) -> Edition:
    """The new contents of `bundle`. Raises InputError if it cannot be changed so."""
    if edits.name is not None:
        check_bundle_name(edits.name)
    old = bundle.manifest
    known = manifest.expected(old, str(bundle.path)) if old is not None else {}
    if old is None and (edits.name is not None or edits.template or edits.no_template):
        raise InputError(
            f"{bundle.path} was not made by llamapack, so it has no name or template to change",
            f"Run `llamapack upgrade {shell_word(bundle.path)}` first.",
        )
    own_template = edits.template is not None or (
        TEMPLATE in bundle.members and not edits.no_template
    )
    removed = _removed(bundle, edits)
    added = _added(bundle, edits, own_template)
    _refuse_replacing(bundle, added, removed, edits.force)
    served = served_models(bundle, removed, added.inputs)
    models = _models(bundle, removed | set(added.names), own_template, edits)
    models += [manifest.model_entry(model) for model in added.inputs.models]
    models = [served.named(entry) for entry in models]
    if not models and entries(bundle, ()):
        raise InputError(
            f"{bundle.path} would be left without a model",
            "Add another model in the same command, with `--add`.",
        )
    gone = {*removed, *added.names, MANIFEST}
    if served.text is None:
        gone.add(MODELS)
    if edits.template is not None or edits.no_template:
        gone.add(TEMPLATE)
    recorded = None if old is None else recipe.of_bundle(bundle)
    files = [str(model.get("file")) for model in models]
    args, text = _args(bundle, edits, added, gone, files, recorded=recorded or {})
    if text is not None:
        gone.add(ARGS)
    if served.changed:
        gone.add(MODELS)
    kept = [member for member in bundle.members.values() if member.name not in gone]

    stated = {
        **{key: value for key, value in (old or {}).items() if key != "recipe"},
        "models": models,
        "name": (old or {}).get("name") if edits.name is None else edits.name,
    }
    if recorded is not None:
        names = set(served.names.values())
        stated["recipe"] = recipe.edited(recorded, args, served=names, removed=removed)
    texts = {
        TEMPLATE: edits.template,
        MODELS: served.text.encode() if served.changed and served.text is not None else None,
        ARGS: None if text is None else text.encode(),
    }
    return Edition(
        changed(
            kept,
            None if old is None else stated,
            weights=added.inputs.sources,
            others={**added.files, **{n: new for n, new in texts.items() if new is not None}},
        ),
        hashed=hashes(bundle, known),
        epoch=source_date_epoch(),
    )


def hashes(bundle: Bundle, known: dict[str, tuple[int, str]]) -> dict[str, str]:
    """SHA-256 of members as the manifest states them, where their size is right."""
    return {
        name: known[name][1]
        for name, member in bundle.members.items()
        if name in known and known[name][0] == member.size
    }


def _removed(bundle: Bundle, edits: Edits) -> set[str]:
    names = [member.name for name in edits.remove for member in members_named(bundle, name)]
    for name in names:
        instead = {
            ARGS: "Empty it with `--args ''`.",
            TEMPLATE: "Use `--chat-template none`.",
            MANIFEST: "Unpack the bundle with `llamapack extract` if you need its parts.",
        }.get(name)
        if name.startswith(FOLDERS) and bundle.manifest is not None:
            instead = "Choose engines with `llamapack upgrade --targets`."
        if instead:
            raise InputError(f"{name} belongs to every bundle", instead)
    return with_shards(bundle, names)


def _added(bundle: Bundle, edits: Edits, own_template: bool) -> _Added:
    added = _Added()
    weights: list[tuple[str, FileWeights]] = []
    for path in edits.add:
        source = FileSource.of(path)
        if path.samefile(bundle.path):
            raise InputError(f"{path} cannot be added to itself", "Name another file.")
        with source.open() as file:
            is_gguf = file.read(len(MAGIC)) == MAGIC
        if is_gguf or path.suffix.lower() == ".gguf":
            weights.append((kind_of(read_header_of(path)), FileWeights(path)))
        else:
            name = check_member_name(path.name)
            if name in added.files:
                raise InputError(f"two files would be member {name}", "Rename one of them.")
            added.files[name] = source
    for kind, one in sorted(weights, key=lambda item: _AS_PACKED.get(item[0], len(_AS_PACKED))):
        if kind == MODEL:
            added.inputs.add_model(one, own_template=own_template)
            continue
        name = added.inputs.add_file(one, kind)
        if kind in _FLAGS:
            added.pairs.append((_FLAGS[kind], name))
    return added


_FLAGS = {PROJECTOR: MMPROJ, ADAPTER: LORA}
_AS_PACKED = {MODEL: 0, PROJECTOR: 1, ADAPTER: 2}


def _refuse_replacing(bundle: Bundle, added: _Added, removed: Collection[str], force: bool) -> None:
    for name in added.names:
        if name in bundle.members and name not in removed and not force:
            raise InputError(
                f"{bundle.path} has a member {name} already", "Add `--force` to replace it."
            )


def _models(
    bundle: Bundle, gone: Collection[str], own_template: bool, edits: Edits
) -> list[dict[str, Any]]:
    if bundle.manifest is None:
        return [{"file": member.name} for member in bundle.weights if member.name not in gone]
    models = entries(bundle, gone)
    if edits.template is None and not edits.no_template:
        return models
    return [with_template(entry, bundle, own_template) for entry in models]


def _args(
    bundle: Bundle,
    edits: Edits,
    added: _Added,
    gone: Collection[str],
    models: Sequence[str],
    *,
    recorded: Mapping[str, Any],
) -> tuple[Args, str | None]:
    """The new `.args`, and its text; None: as it is. `recorded`: the recipe in the manifest."""
    args, had_model, readable = Args([]), bool(models), True
    dialect = dialect_of(bundle) if bundle.manifest is None else None
    if ARGS in bundle.members:
        try:
            text = bundle.read(ARGS).decode()
            args = Args.parsed(
                ours(text, dialect) if dialect else text,
                bundle.members.keys(),
                outside=not bundle.weights,
            )
            args.give_back(str(recorded.get("args", "")))
            had_model = args.names_model
        except (InputError, UnicodeDecodeError):
            if edits.args is None:
                raise InputError(
                    f"the {ARGS} of {bundle.path} cannot be read", "Give new ones with `--args`."
                ) from None
            readable = False
    before, own, had_pair = args.text, args.own, args.has(MODEL_FLAG)
    first = args.members_of(MODEL_FLAG)
    if edits.args is not None:
        # In a file of another tool everything is its user's own.
        if dialect:
            args.defaults.clear()
        args.put_own(edits.args)
        check_options(parse(edits.args), finished(bundle.engines))
    replaced = set(added.names)
    args.drop_members([name for name in gone if name not in replaced and name != TEMPLATE])
    if edits.template is not None or edits.no_template:
        args.set_template(edits.template is not None)
    for flag, name in added.pairs:
        known = any(pair.names([name]) for pair in args.pairs)
        if not known and (flag == LORA or not args.has(flag)):
            args.put(flag, name)
    if had_model:
        args.ensure_model(models, by_pair=had_pair)
    is_new = args.members_of(MODEL_FLAG) != first or MODELS in bundle.members
    # In a bundle that serves several by name, their sections say it.
    alone = bundle.manifest is not None and MODELS in gone
    if alone and (is_new or edits.args is not None) and (header := _header(bundle, added, args)):
        if edits.args is not None and not is_new:
            # Perhaps only the packer had the documents that say it.
            pooling = dict(with_values(parse(own))).get(POOLING)
            embeds = purpose_of(header, template=False, words=()) == EMBEDDING
            kept = pooling_of(header, parse(edits.args), pooling) if embeds else ()
            args.put_own(edits.args, kept)
        args.purpose = options_of(header, parse(args.own))
    if readable and args.text == before:
        return args, None
    return args, rewritten(args.text, dialect) if dialect else args.text


def _header(bundle: Bundle, added: _Added, args: Args) -> Header | None:
    """The header of the model that `.args` names; None for a file outside."""
    name = next(iter(args.members_of(MODEL_FLAG)), "")
    if name in added.inputs.sources:
        return added.inputs.weights_of(name).header()
    return bundle.header(bundle.members[name]) if name in bundle.members else None
