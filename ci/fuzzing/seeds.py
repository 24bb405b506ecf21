"""The inputs that fuzzing begins with: small, of each kind that readers know, made here.

What was found later is in `tests/data/found/`, and counts as seeds, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

FOUND = Path(__file__).parents[2] / "tests" / "data" / "found"
_HASH = "0123456789abcdef" * 4
_SUMS = f"{_HASH}  llamapack-engine\n{_HASH}  modules/libggml-cpu.so\n"
_INI = "version = 1\n[*]\nc = 4096\n[a]\nmodel = /zip/m.gguf\nlora = /zip/a.gguf,/zip/b.gguf ; x\n"
_ARGS = '-m\nm.gguf\n-c\n4096\n--temp\n\'0.7\'\n...\n# "no\n-p "a $HOME ${TWO}\\" b"\n'


def seeds(kind: str) -> list[bytes]:
    """The inputs of one kind, with those that were found."""
    found = FOUND / kind
    stored = (path.read_bytes() for path in sorted(found.iterdir())) if found.is_dir() else ()
    return [*_SEEDS[kind], *stored]


def kinds() -> Iterable[str]:
    """All that there are."""
    return _SEEDS.keys()


def _zips() -> Iterator[bytes]:
    manifest = _json(_MANIFEST)
    bundle = {
        "engines/linux-x86_64/llamapack-engine": b"\x7fELF" + bytes(60),
        "engines/linux-x86_64/SHA256SUMS": _SUMS.encode(),
        "engines/macos-aarch64/SHA256SUMS": _SUMS.encode(),
        "m.gguf": _gguf({"general.architecture": "llama"}, {"w": (32,)}),
        ".args": _ARGS.encode(),
        "models.ini": _INI.encode(),
        "llamapack.json": manifest,
    }
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield _zip(bundle, method, b"#!/bin/sh\n" * 9)
        yield _zip({".args": b"-m\nm.gguf\n...\n--temp\n0\n", "m.gguf": b"GGUF"}, method)
    yield _zip({}, 0)
    yield _zip({"a": b"1", "b/": b"", "\u00e9": b"2" * 40}, zipfile.ZIP_DEFLATED, wide=True)
    yield _zip({"a": b"PK\5\6"}, 0)[:-2] + b"\x04\0note"
    yield _zip({"a": b"1"}, 0) + _zip({"b": b"2"}, 0)


def _zip(
    members: Mapping[str, bytes], method: int, before: bytes = b"", *, wide: bool = False
) -> bytes:
    out = io.BytesIO()
    out.write(before)
    with zipfile.ZipFile(out, "a", method) as archive:
        for name, data in members.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=wide) as member:
                member.write(data)
    data = out.getvalue()
    return data if not wide else _with_wide_end(data)


def _with_wide_end(data: bytes) -> bytes:
    """With a ZIP64 record before the end record (APPNOTE 4.3.14)."""
    at = len(data) - 22
    count, size, offset = struct.unpack_from("<H2I", data, at + 10)
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    return data[:at] + record + locator + data[at:]


def _deflated() -> Iterator[bytes]:
    texts = [b"", b"a" * 300, bytes(range(256)), b"the quick brown fox " * 30]
    for level, strategy in ((0, 0), (1, 0), (9, 0), (9, zlib.Z_FIXED), (9, zlib.Z_HUFFMAN_ONLY)):
        for number, text in enumerate(texts):
            packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            yield bytes([number * 80 % 256]) + packer.compress(text) + packer.flush()


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<IB", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _string(value)
        case list():
            kind, *_ = struct.unpack_from("<I", _value(value[0]))
            items = b"".join(_value(one)[4:] for one in value)
            return struct.pack("<IIQ", 9, kind, len(value)) + items
    raise TypeError(value)


def _gguf(
    metadata: Mapping[str, object], tensors: Mapping[str, tuple[int, ...]], version: int = 3
) -> bytes:
    out = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += _string(key) + _value(value)
    for number, (name, shape) in enumerate(tensors.items()):
        out += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        out += struct.pack("<IQ", 0, 128 * number)
    out += bytes(-len(out) % 32)
    return out + bytes(128 * len(tensors))


def _ggufs() -> Iterator[bytes]:
    stated: dict[str, object] = {
        "general.architecture": "llama",
        "general.name": "A B",
        "general.file_type": 15,
        "general.languages": ["en", "de"],
        "general.base_model.count": 1,
        "general.base_model.0.repo_url": "https://huggingface.co/org/name",
        "llama.context_length": 4096,
        "split.count": 2,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
        "tokenizer.ggml.scores": [0.5, 1.5],
        "tokenizer.ggml.add_bos_token": True,
    }
    yield _gguf(stated, {"token_embd.weight": (32,), "output.weight": (8, 4)})
    yield _gguf({"general.alignment": 32, "general.type": "adapter"}, {"w": (32,)}, 2)
    yield _gguf({}, {})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_FILE = {"sha256": _HASH, "size": 9}
_MANIFEST = {
    "format": 1,
    "name": "n",
    "members": {"m.gguf": _FILE},
    "engines": {"linux-x86_64": {"files": 1, "id": _HASH, "llama.cpp": "v0.4.0", "size": 9}},
    "front": {"program": "ape", "sha256": _HASH, "size": 9},
    "models": [{"file": "m.gguf", "architecture": "llama", "parameters": 7, "size": 9}],
    "card": {"license": "mit", "tags": ["a"], "inference": {"parameters": {"temperature": 0.7}}},
    "recipe": {"args": "-c 4", "ctx-size": 9, "sampling": {"top_k": 4}, "mmproj": "p.gguf"},
    "tool": "llamapack 1",
}
_JOURNAL = {"format": 1, "parts": ["x.cat0", "x.cat1"], "sizes": [9, 9], "sha256": _HASH}
_STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": "x", "digest": {"sha256": _HASH}}],
    "predicate": {
        "buildDefinition": {"resolvedDependencies": [{"name": "l", "uri": "u", "digest": {}}]},
        "runDetails": {"builder": {"id": "b"}},
    },
}
_INDEX = {
    "format": 1,
    "llama.cpp": "v0.4.0",
    "base": None,
    "archives": {"a": {"file": "f", "id": "i", "sha256": _HASH, "size": 9}},
}
_REPOSITORY = {
    "id": "org/name",
    "sha": "0" * 40,
    "gated": False,
    "siblings": [
        {"rfilename": "README.md", "size": 9, "blobId": "0" * 40},
        {
            "rfilename": "m-Q4_K_M.gguf",
            "size": 99,
            "blobId": "1" * 40,
            "lfs": {"sha256": _HASH, "size": 99, "pointerSize": 130},
        },
    ],
}
_REQUEST = {
    "messages": [{"role": "user", "content": 'a\\"b'}],
    "response_format": {"json_schema": {"$ref": "#/x", "enum": [1, 2.5e3, None, True]}},
}
_TOKENIZER = {
    "chat_template": [
        {"name": "default", "template": "{{ x }}"},
        {"name": "tool_use", "template": ""},
    ],
    "bos_token": {"content": "<s>"},
    "eos_token": "</s>",
}
_SAFETENSORS = _json({
    "__metadata__": {"format": "pt"},
    "w": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]},
})  # fmt: skip
_PIECE = hashlib.sha256(bytes(4096)).hexdigest()
_UNDO = {
    "inode": 1, "move": None, "ranges": [[9000, 100]], "size": 9100,
    "witness": [[0, _PIECE], [4904, _PIECE]],
}  # fmt: skip
_CARD = """---
license: mit
tags: [a, &b "c"]
base_model: org/name
inference: {parameters: {temperature: 0.7, stop: ["x"]}}
prompt_template: |
  <s>{{prompt}}
  {{history}}
  {{char}}:
history_template: |
  {{name}}: {{message}}</s>
---
# Title

---
pipeline_tag: text-generation
---
"""
_RECIPE = """weights = "hf:org/name:Q4_K_M"
name = "n"
args = "-c 4096"
sampling = { temperature = 0.7, stop = ["x"] }
lora = [{ file = "a.gguf", scale = 0.5 }]
split-size = "1.9GiB"
[card-fields]
license = "mit"
"""
_JINJA = """{%- for m in messages -%}{{ '<|' + m['role'] + '|>' ~ m.content | trim }}{% endfor %}
{%- if add_generation_prompt %}{{ raise_exception("x") if tools else [1, 2.5] | tojson }}
{% endif %}{% macro f(a) %}{% set ns = namespace(x=a[::-1]) %}{{ ns.x }}{% endmacro %}
{{ f("b") }}"""

_SEEDS: dict[str, list[bytes]] = {
    "zip": list(_zips()),
    "deflate": list(_deflated()),
    "gguf": list(_ggufs()),
    "args": [
        _ARGS.encode(),
        b"",
        b"'a'\\ b\"c\"$X",
        b"-m /zip/m.gguf --lora a,b:1 --chat-template-file x",
    ],
    "text": ["a\u00e9\u4e2d\U0001f600\u0301\u202e".encode(), b"\x1b[2J\xc2\x9b\xff\n\t"],
    "json": [_json(_REQUEST), _json(_REPOSITORY), b'[1, -2.5e3, "\\ud800\\n", null, {"a": []}]'],
    "ini": [_INI.encode()],
    "sums": [_SUMS.encode(), f"\\{_HASH} *./a\\nb\r\n".encode()],
    "manifest": [_json(_MANIFEST)],
    "journal": [_json(_JOURNAL)],
    "provenance": [_json(_STATEMENT), _json({"payload": "e30="})],
    "index": [_json(_INDEX)],
    "hub": [_json(_REPOSITORY)],
    "tokenizer": [_json(_TOKENIZER), _json({"chat_template": "{{ x }}"})],
    "safetensors": [struct.pack("<Q", len(_SAFETENSORS)) + _SAFETENSORS + bytes(8)],
    "undo": [b"llamapack undo 2\n" + _json(_UNDO) + b"\n" + bytes(132) + b"M"],
    "card": [_CARD.encode(), b"---\na: &a [*a, !!int '']\n---\n", b"x: {y: 1e3, <<: {z: ~}}"],
    "recipe": [_RECIPE.encode()],
    "jinja": [_JINJA.encode()],
    "address": [
        b"hf:org/name:Q4_K_M@main",
        b"https://u:p@host:80/a/b.gguf?x#y",
        b"hf://o/n/f.gguf",
    ],
    "name": [b"x.llamafile.cat01", b"m-00001-of-00003.gguf", b"x.cat2.llamafile"],
    "ape": [
        b"MZqFpD='\n" + b"printf '\\177ELF\\2\\1\\1'\n" + b'dd if="$0" of=x skip=1 count=2 bs=64\n'
    ],
}
