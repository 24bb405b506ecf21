"""`pack --merge`: shards as one GGUF, compared by the `gguf` package and gguf-split's rules."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from helpers.gguf_shards import split_gguf
from helpers.stand_ins import CommandLine, Refused, write_gguf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.weights.merge import merged
from runtime.formats.args_file import parse
from runtime.formats.bundle import Bundle
from runtime.formats.gguf_header import read_header_of


def contents(path: Path) -> tuple[dict[str, object], list[tuple[str, list[int], int, bytes]]]:
    """Metadata but for shards', and tensors in order, as the `gguf` package reads them."""
    reader = gguf.GGUFReader(path)
    metadata = {
        key: field.contents()
        for key, field in reader.fields.items()
        if not key.startswith(("GGUF.", "split."))
    }
    tensors = [
        (t.name, t.shape.tolist(), t.tensor_type.value, t.data.tobytes()) for t in reader.tensors
    ]
    return metadata, tensors


def extracted(bundle: Bundle, path: Path) -> Path:
    (member,) = bundle.weights
    path.write_bytes(b"".join(bundle.stream(member)))
    return path


def test_shards_become_one_member(tmp_path: Path, llamapack: CommandLine) -> None:
    names = [f"blk.{n}.weight" for n in range(7)]
    whole = write_gguf(tmp_path / "big.gguf", tensors=names, tokens=5000)
    (tmp_path / "shards").mkdir()
    shards = split_gguf(whole, tmp_path / "shards", 3)
    done = llamapack("pack", *shards, "--merge", cwd=tmp_path)
    assert done.stdout == "big.llamafile\n", done.stderr
    with Bundle.open(tmp_path / "big.llamafile") as bundle:
        assert [member.name for member in bundle.weights] == ["big.gguf"]
        assert parse(bundle.args, {}) == ["-m", "big.gguf"]
        assert bundle.manifest is not None
        (model,) = bundle.manifest["models"]
        assert (model["file"], model["size"]) == ("big.gguf", bundle.weights[0].size)
        joined = extracted(bundle, tmp_path / "joined.gguf")
    assert contents(joined) == contents(whole)
    assert not [key for key in read_header_of(joined).metadata if key.startswith("split.")]
    llamapack.ran("verify", tmp_path / "big.llamafile")
    # What comes out goes in again, and has no shards to merge.
    llamapack.ran("pack", joined, "--merge", "-o", tmp_path / "again.llamafile")
    with Bundle.open(tmp_path / "again.llamafile") as bundle:
        assert b"".join(bundle.stream(bundle.weights[0])) == joined.read_bytes()


_TYPES = [
    (np.float32, gguf.GGMLQuantizationType.F32),
    (np.float16, gguf.GGMLQuantizationType.F16),
    (np.int8, gguf.GGMLQuantizationType.I8),
]
_TENSORS = st.lists(
    st.tuples(st.sampled_from(_TYPES), st.lists(st.integers(1, 9), min_size=1, max_size=4)),
    max_size=6,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(_TENSORS, min_size=2, max_size=4),
    alignment=st.sampled_from([None, 8, 32, 128]),
    last=st.booleans(),
)
def test_any_tensors(
    tmp_path: Path, parts: list[list[tuple[object, list[int]]]], alignment: int | None, last: bool
) -> None:
    """Odd sizes, shards without tensors, an alignment of the model's own."""
    paths, expected = [], []
    for number, part in enumerate(parts):
        path = tmp_path / f"s{number}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        if alignment:
            writer.add_custom_alignment(alignment)
        if not last:
            writer.add_uint16("split.no", number)
        if number == 0:
            writer.add_array("list", list(range(200)))
            writer.add_uint16("split.count", len(parts))
            writer.add_string("name", "x")
        for index, (kind, shape) in enumerate(part):
            numpy_type, ggml_type = kind  # type: ignore[misc]
            data = np.arange(np.prod(shape)).reshape(shape).astype(numpy_type)
            name = f"t{number}.{index}"
            writer.add_tensor(name, data, raw_dtype=ggml_type)
            expected.append((name, list(reversed(shape)), int(ggml_type), data.tobytes()))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        paths.append(path)
    headers = [read_header_of(path) for path in paths]
    source = merged(paths, headers)
    result = tmp_path / "merged.gguf"
    with source.open() as file:
        result.write_bytes(file.read())
    assert result.stat().st_size == source.size
    header = read_header_of(result)
    assert all((header.data_offset + t.offset) % header.alignment == 0 for t in header.tensors)
    metadata, tensors = contents(result)
    assert tensors == expected
    assert {key: metadata[key] for key in ("list", "name")} == {
        "list": list(range(200)),
        "name": "x",
    }


def test_shards_that_cannot_be_merged(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    files = [
        write_gguf(tmp_path / f"x-{n + 1:05}-of-00002.gguf", shard=(n, 2, 2), tensors=["same"])
        for n in range(2)
    ]
    assert "an earlier shard has it too" in refused(llamapack("pack", files[0], "--merge"))


def test_upstream_reads_the_merged_file(tmp_path: Path) -> None:
    """The order and padding of gguf-split: tensors follow each other, each on the alignment."""
    whole = write_gguf(tmp_path / "x.gguf", tensors=["a", "b", "c", "d"])
    shards = split_gguf(whole, tmp_path, 2)
    source = merged(shards, [read_header_of(path) for path in shards])
    result = tmp_path / "merged.gguf"
    with source.open() as file:
        result.write_bytes(file.read())
    header = read_header_of(result)
    position = 0
    for tensor in header.tensors:
        assert tensor.offset == position
        assert tensor.size is not None
        position += -(-tensor.size // 32) * 32
    assert result.stat().st_size == header.data_offset + position


@pytest.mark.parametrize("tail", [0, 1, 31])
def test_reading_in_small_steps(tmp_path: Path, tail: int) -> None:
    shards = split_gguf(write_gguf(tmp_path / "x.gguf"), tmp_path, 2)
    source = merged(shards, [read_header_of(path) for path in shards])
    with source.open() as file:
        whole = file.read()
    with source.open() as file:
        pieces = []
        while piece := file.read(97 + tail):
            pieces.append(piece)
    assert b"".join(pieces) == whole
