"""Splits a GGUF into shards named as llama.cpp's own gguf-split names them."""

from pathlib import Path
from typing import Any

import gguf

# The reader shows these as fields, but they belong to the file's head.
_HEAD = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")


def split_gguf(source: Path, folder: Path, count: int = 3) -> list[Path]:
    """Writes `count` shards of `source` into `folder` and returns their paths in order.

    All metadata are in the first shard; the tensors are dealt out in their order.
    """
    reader = gguf.GGUFReader(source)
    tensors = list(reader.tensors)
    assert 1 <= count <= len(tensors)
    paths = []
    for number in range(count):
        path = folder / f"{source.stem}-{number + 1:05d}-of-{count:05d}.gguf"
        architecture = str(_field(reader, "general.architecture").contents())
        # The writer adds general.architecture by itself, to every shard; llama.cpp allows that.
        writer = gguf.GGUFWriter(path, architecture)
        if number == 0:
            _copy_metadata(reader, writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(tensors))
        first, last = (len(tensors) * n // count for n in (number, number + 1))
        for tensor in tensors[first:last]:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        paths.append(path)
    return paths


def _field(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    assert field is not None, key
    return field


def _copy_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for key, field in reader.fields.items():
        if key in _HEAD or key == "general.architecture":
            continue
        kind = field.types[0]
        element = field.types[1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=element)
