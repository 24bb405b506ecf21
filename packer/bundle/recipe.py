"""The `recipe` of the manifest: arguments of `pack` that no other fact of the bundle states.

Keys and values are as in recipes (docs/recipes.md), but sources are members: options of `.args`,
and the members and words of each model of `models.ini`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from packer.bundle.args import DRAFT, LORA, MMPROJ, Args, member_in
from packer.bundle.manifest import expected
from packer.bundle.models_ini import ModelSection, lora_option
from runtime.errors import InputError
from runtime.formats.args_file import quote
from runtime.formats.bundle import ARGS, MODELS, Bundle
from runtime.formats.json_input import is_count

_OF_MODELS = ("mmproj", "lora", "draft", "model-args")


def recorded(
    args: Args, several: Sequence[ModelSection], *, context: int | None, sampling: Mapping[str, Any]
) -> dict[str, Any]:
    """What the manifest of a new bundle records. `several`: the models served by name, if any."""
    found: dict[str, Any] = {"args": _own(args), "ctx-size": context, "sampling": sampling}
    if not several:
        return _stated(found | _of_one_model(args))
    return _stated(
        {
            **found,
            "mmproj": {one.name: one.mmproj for one in several if one.mmproj},
            "lora": [
                {"file": lora_option(lora)[1], "model": one.name}
                for one in several
                for lora in one.loras
            ],
            "draft": {one.name: one.draft.member for one in several if one.draft},
            "model-args": {one.name: " ".join(map(quote, one.args)) for one in several if one.args},
        }
    )


def edited(
    recipe: Mapping[str, Any], args: Args, *, served: Collection[str], removed: Collection[str]
) -> dict[str, Any]:
    """What a changed bundle records. `served`: names of its models, if it serves several;
    `removed`: members that are gone."""
    found = {**recipe, "args": _own(args, recipe)}
    if not served:
        others = {key: value for key, value in found.items() if key not in _OF_MODELS}
        return _stated({**others, **_of_one_model(args)})
    for key in ("mmproj", "draft", "model-args"):
        table = found.get(key)
        if isinstance(table, dict):
            found[key] = {
                name: value
                for name, value in table.items()
                if name in served and (key == "model-args" or value not in removed)
            }
    found["lora"] = [
        one
        for one in found.get("lora", ())
        if isinstance(one, dict)
        and one["model"] in served
        and member_in(one["file"], removed) is None
    ]
    return _stated(found)


def of_bundle(bundle: Bundle) -> dict[str, Any] | None:
    """What the manifest records, or would record; None if that is not known: an earlier llamapack
    recorded nothing, a later one may record more, and another program may have replaced `.args` or
    `models.ini`. Raises InputError if the manifest has a later format or lists no members."""
    manifest = bundle.manifest or {}
    recipe = manifest.get("recipe")
    known = expected(manifest, str(bundle.path))
    as_packed = all(
        _sha256(bundle, name) == known.get(name, (0, ""))[1]
        for name in (ARGS, MODELS)
        if name in bundle.members
    )
    if as_packed and isinstance(recipe, dict) and all(_fits(*item) for item in recipe.items()):
        return recipe
    try:
        return None if MODELS in bundle.members or not bundle.weights else divided(bundle)
    except InputError:
        return None


def divided(bundle: Bundle) -> dict[str, Any]:
    """What `.args` says, with its defaults and the words of a purpose as the user's. Raises
    InputError if it cannot be read."""
    args = Args.parsed(bundle.args, bundle.members)
    of_model = {} if MODELS in bundle.members else _of_one_model(args)
    return _stated({"args": _own(args, {}, args.purpose), **of_model})


def _own(args: Args, recipe: Mapping[str, Any] | None = None, purpose: Sequence[str] = ()) -> str:
    """The user's part of `.args`, with words that no other key of a recipe states."""
    others = [pair for pair in args.pairs if pair.flag.startswith("--control-vector")]
    has_defaults = recipe is None or "ctx-size" in recipe or "sampling" in recipe
    return Args(others, list(purpose), [] if has_defaults else args.defaults, args.own).text


def _of_one_model(args: Args) -> dict[str, Any]:
    return {
        "mmproj": next(iter(args.members_of(MMPROJ, "-mm")), None),
        "lora": args.members_of(LORA, f"{LORA}-scaled"),
        "draft": next(iter(args.members_of(DRAFT, "--model-draft")), None),
    }


def _sha256(bundle: Bundle, name: str) -> str | None:
    try:
        return hashlib.sha256(bundle.read(name)).hexdigest()
    except InputError:
        return None


def _fits(key: str, value: Any) -> bool:
    if key == "args":
        return isinstance(value, str)
    if key == "ctx-size":
        return is_count(value)
    if key == "sampling":
        return isinstance(value, dict)
    if key == "lora":
        return isinstance(value, list) and all(
            isinstance(one, str) or (_is_table(one) and one.keys() == {"file", "model"})
            for one in value
        )
    if key == "model-args":
        return _is_table(value)
    return key in ("mmproj", "draft") and (isinstance(value, str) or _is_table(value))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _stated(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}
