"""Models in one file, in shards, and in bundles that are in parts."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from helpers.stand_ins import write_gguf

import runtime
from runtime.errors import InputError
from runtime.formats.weights import in_files
from runtime.launch.parts import Bundles, Parted, parted
from runtime.launch.target import Loaded, StartTarget, loaded, target_of


def found(path: Path) -> StartTarget:
    with Bundles() as bundles:
        return target_of(path, bundles)


def read(target: StartTarget, words: list[str], engine: Path) -> Loaded:
    with Bundles() as bundles:
        return loaded(target, words, bundles, engine)


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return [
        write_gguf(
            tmp_path / f"m-{n + 1:05}-of-00003.gguf", shard=(n, 3, 6), tensors=(f"t{n}", "x")
        )
        for n in range(3)
    ]


def test_all_shards_count(shards: list[Path]) -> None:
    weights = in_files(shards[0])
    assert len(weights.headers) == 3
    assert weights.size == sum(path.stat().st_size for path in shards)
    assert runtime.open(shards[0]).size == weights.size


def test_weights_beside_a_bundle_for_another_system(tmp_path: Path) -> None:
    """Its arguments are its own engine's matter; those of a bundle beside it are looked at."""
    other = tmp_path / "engines.zip"
    for path in (tmp_path / "m.exe", other):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(".args" if path != other else "x", "--host 0.0.0.0 -mm a")
    weights = write_gguf(tmp_path / "m.gguf")
    target = found(tmp_path / "m.exe")
    assert target.weights == weights
    assert read(target, ["-mm", "b"], other).flags.mmproj == "b"
    assert read(target, [], target.path).flags.mmproj == "a"
    assert read(target, ["-mm", "b"], target.path).flags.mmproj == "b"
    data = weights.read_bytes()
    weights.unlink()
    with zipfile.ZipFile(tmp_path / "m.llamafile", "w") as archive:
        archive.writestr("m.gguf", data)
        archive.writestr(".args", "--host 0.0.0.0")
    target = found(tmp_path / "m.exe")
    for engine in (other, target.path):
        with pytest.raises(InputError, match=r"m\.llamafile: its arguments have --host"):
            read(target, [], engine)
        read(target, ["--trust-args"], engine)


def test_the_first_shard_is_to_be_named(shards: list[Path]) -> None:
    with pytest.raises(InputError, match="shard 2 of 3"):
        found(shards[1])
    shards[2].unlink()
    with pytest.raises(InputError, match=r"00003-of-00003.gguf is missing"):
        in_files(shards[0])


def test_a_bundle_is_read_out_of_its_parts(bundle: Path, tmp_path: Path) -> None:
    whole = runtime.open(bundle)
    data = bundle.read_bytes()
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, start in enumerate(range(0, len(data), len(data) // 3)):
        piece = data[start : start + len(data) // 3]
        (folder / f"tiny.llamafile.cat{number}").write_bytes(piece)
    first = folder / "tiny.llamafile.cat0"
    assert isinstance(parted(first), Parted)
    assert runtime.open(first) == whole
    shutil.copyfile(bundle, folder / "tiny.llamafile")
    assert parted(first) == folder / "tiny.llamafile"
    (folder / "tiny.llamafile").write_bytes(b"old")
    with pytest.raises(InputError, match="another size"):
        parted(first)


def test_a_model_whose_name_looks_like_that_of_a_part(tmp_path: Path) -> None:
    model = write_gguf(tmp_path / "siamese.cat9")
    assert parted(model) == model


def test_a_number_of_shards_that_the_name_does_not_state(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m-00001-of-00003.gguf", shard=(0, 2**15, 6))
    with pytest.raises(InputError, match=r"one of 32,768 shards"):
        in_files(path)
