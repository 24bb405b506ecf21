"""The readers of strangers' bytes in Python, each as a function that takes any bytes.

A reader may refuse its input by the exceptions that it states, mostly `InputError`. Another one is
a finding, and so is a result that contradicts itself.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from packer.ape import anatomy, description
from packer.bundle import models_ini
from packer.bundle.args import Args
from packer.convert import checkpoint
from packer.engines import other_runtimes as foreign
from packer.inspection import provenance, summary, verification
from packer.metadata import fields, front_matter, sampling
from packer.parts import in_place
from packer.recipes import read, write
from packer.releases import index
from packer.templates import origin
from packer.templates.template import RenderError, check_syntax
from runtime.errors import InputError
from runtime.formats import (
    args_file,
    gguf_header,
    model_facts,
    parts,
    sha256_file,
    undo_file,
    weights,
    zip_directory,
)
from runtime.formats.bundle import Bundle
from runtime.formats.json_input import parse_json
from runtime.hub import hub_api, words
from runtime.hub.settings import settings

_ENDPOINT = "https://huggingface.co"
_FOLDER = Path(tempfile.mkdtemp(prefix="llamapack-fuzz-"))
"""Of the files that readers want; its owner is the process that imports this."""


@dataclass(frozen=True)
class Parser:
    """One reader."""

    take: Callable[[bytes], object]
    seeds: str
    """Which inputs it begins with."""
    refusals: tuple[type[Exception], ...] = (InputError,)
    """What it may raise."""
    max_len: int = 4096
    """Bytes of an input: more make fuzzing slow, and readers are tried with much by other tests."""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _zip(data: bytes) -> None:
    for old_names in (False, True):
        with suppress(InputError):
            found = zip_directory.read_directory(io.BytesIO(data), "x", old_names=old_names)
            for member in found.members.values():
                with suppress(InputError):
                    zip_directory.data_offset(io.BytesIO(data), member, "x")


def _bundle(data: bytes) -> None:
    _looked_into(_file("x.llamafile", data))


def _looked_into(path: Path) -> None:
    """All that commands read of a bundle without changing it."""
    for look in (summary.inspect, _recipe, _verified, _described):
        with suppress(InputError):
            look(path)


def _verified(path: Path) -> None:
    with Bundle.open(path) as bundle:
        list(verification.verify(bundle, lambda _: None))
        fields.stated(bundle.manifest)
        args_file.refused_of(bundle)


def _recipe(path: Path) -> None:
    tomllib.loads(write.recipe(path))


def _described(path: Path) -> None:
    json.dumps(description.described(anatomy.take_apart(path)))


def _gguf(data: bytes) -> None:
    header = gguf_header.read_header(io.BytesIO(data), "x")
    model_facts.model_facts([header], len(data))
    model_facts.shard(header)
    models_ini.draft_kind(header)
    json.dumps(fields.general(header))
    path = _file("m.gguf", data)
    summary.inspect(path)
    origin.any_template(str(path))


def _args(data: bytes) -> None:
    text = _text(data)
    found = args_file.parse(text, {"HOME": "/h", "TWO": "a b"})
    assert args_file.parse(" ".join(map(args_file.quote, found))) == found
    divided = Args.parsed(text, ["m.gguf", "a", "x"])
    assert args_file.parse(divided.text) == args_file.parse(text)
    args_file.refused(found, ["m.gguf"])
    for dialect in foreign.Dialect:
        foreign.ours(text, dialect)
        with suppress(InputError):
            foreign.rewritten(text, dialect)


def _sums(data: bytes) -> None:
    found = sha256_file.parse(data.decode("utf-8", "surrogateescape"))
    named = {name: hexadecimal for name, hexadecimal in found.items() if name}
    again = sha256_file.parse(sha256_file.write(named))
    assert again == {name.removeprefix("./"): value for name, value in named.items()}


def _name(data: bytes) -> None:
    name = _text(data)
    part = parts.part_name(name)
    assert not part or part.is_sibling(part.other(part.number)) == parts.part_name(
        part.other(part.number)
    )
    shard = weights.ShardName.of(name)
    assert not shard or len(weights.shard_names(shard.stem, min(shard.count, 9))) <= 9


def _manifest(data: bytes) -> None:
    """Also `.args` and `models.ini` of a bundle: each after a line that no JSON needs."""
    texts = [*data.split(b"\n---\n", 2), b"-m\nm.gguf\n", b""][:3]
    with zipfile.ZipFile(_FOLDER / "y.llamafile", "w") as archive:
        for name, text in zip(("llamapack.json", ".args", "models.ini"), texts, strict=True):
            archive.writestr(zipfile.ZipInfo(name), text)
        archive.writestr(zipfile.ZipInfo("m.gguf"), b"GGUF\3\0\0\0" + bytes(24))
    _looked_into(_FOLDER / "y.llamafile")


def _ini(data: bytes) -> None:
    text = _text(data)
    models_ini.served_as(text)
    models_ini.keys(text)
    models_ini.keys(models_ini.without(text, ["m.gguf"]))


def _undo(data: bytes) -> None:
    path = _file("z", bytes(9100))
    place = _file(".z.llamapack-undo", data)
    with suppress(ValueError), undo_file.open_undo(place, "rb") as undo, path.open("rb") as file:
        undo_file.UndoFile.read(undo).fits(file)
    undo_file.refuse_unfinished(path)


def _journal(data: bytes) -> None:
    folder = _FOLDER / "parts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "x.joining.json").write_bytes(data)
    for number in range(2):
        (folder / f"x.cat{number}").write_bytes(b"PK")
    in_place.join_in_place(folder / "x.cat0", folder / "x", None, force=False)


def _card(data: bytes) -> None:
    text = _text(data)
    with suppress(InputError):
        found = fields.carried(front_matter.front_matter(text, "x"))
        again = front_matter.write(found)
        assert front_matter.front_matter(again, "x") == {
            name: value for name, value in found.items() if name in fields.FIELDS
        }
        sampling.pairs(sampling.recommended({}, found))
    with suppress(InputError):
        front_matter.parsed(text, "x")
    template = origin.chat_template(str(_file("card.md", data))).text
    with suppress(RenderError):
        check_syntax(template)


def _tokenizer(data: bytes) -> None:
    found = origin.chat_template(str(_file("tokenizer_config.json", data)))
    found.in_one().encode()


def _stays_inside(name: str) -> bool:
    """Whether a name leads out of no folder, on any system."""
    parts = name.split("/")
    leads_out = {"", ".", ".."} & set(parts) or {"\\", "\0"} & set(name[:2])
    return not leads_out and not any(PureWindowsPath(part).drive for part in parts)


def _hub(data: bytes) -> None:
    """What the Hub answers about a repository."""
    from huggingface_hub import hf_api

    def answered(*_: Any, **__: Any) -> Any:
        made: Any = hf_api.ModelInfo
        return made(**json.loads(data))

    asked = hf_api.HfApi.model_info
    hf_api.HfApi.model_info = answered  # type: ignore[method-assign]
    try:
        word = words.HubWord("org/name")
        listing = hub_api.HubApi(settings({"HOME": "/nowhere"})).listing(word)
        assert all(map(_stays_inside, listing.files))
    finally:
        hf_api.HfApi.model_info = asked  # type: ignore[method-assign]


def _address(data: bytes) -> None:
    found = words.parsed(_text(data), _ENDPOINT)
    if isinstance(found, words.WebWord):
        assert _stays_inside(found.name)
    elif found:
        assert words.parsed(str(found), _ENDPOINT) == found


def _safetensors(data: bytes) -> None:
    folder = _FOLDER / "checkpoint"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(data)
    found = checkpoint.Checkpoint.open(folder)
    for tensor in found.tensors.values():
        assert tensor.start + tensor.size <= len(data)
    found.elements  # noqa: B018


def _generation(data: bytes) -> None:
    found = parse_json(data)
    if isinstance(found, dict):
        sampling.pairs(sampling.recommended(found, found))
        json.dumps(fields.carried(found))


PARSERS = {
    "zip": Parser(_zip, "zip"),
    "bundle": Parser(_bundle, "zip"),
    "gguf": Parser(_gguf, "gguf"),
    "args": Parser(_args, "args"),
    "sums": Parser(_sums, "sums"),
    "name": Parser(_name, "name", max_len=100),
    "json": Parser(parse_json, "json", (ValueError,)),
    "generation": Parser(_generation, "json", (ValueError,)),
    "manifest": Parser(_manifest, "manifest"),
    "ini": Parser(_ini, "ini"),
    "undo": Parser(_undo, "undo"),
    "journal": Parser(_journal, "journal"),
    "provenance": Parser(lambda data: provenance.read(_file("p.json", data)), "provenance"),
    "index": Parser(lambda data: index.parse(data, "x"), "index"),
    "recipe": Parser(lambda data: read.read(_file("r.toml", data)), "recipe"),
    "card": Parser(_card, "card"),
    "tokenizer": Parser(_tokenizer, "tokenizer"),
    "jinja": Parser(lambda data: check_syntax(_text(data)), "jinja", (RenderError,)),
    "hub": Parser(_hub, "hub"),
    "address": Parser(_address, "address", max_len=300),
    "safetensors": Parser(_safetensors, "safetensors"),
    "ape": Parser(lambda data: _described(_file("a.com", data)), "ape"),
}
"""By the name of what they read."""


def take(name: str, data: bytes) -> None:
    """Give one input to a reader.

    Raises:
        Exception: what the reader may not raise.
    """
    with suppress(*PARSERS[name].refusals):
        PARSERS[name].take(data)


def clean() -> None:
    """Remove the files that readers were given."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
