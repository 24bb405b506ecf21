"""The weights in the bill of materials: what each file is, with its own hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from helpers.stand_ins import CommandLine, write_gguf

from ci.release import sbom
from runtime.formats.bundle import Bundle


def test_what_a_model_takes_and_gives_is_read_from_its_files(
    gguf: Path, llamapack: CommandLine, tmp_path: Path
) -> None:
    eyes = write_gguf(tmp_path / "eyes.gguf", kind="mmproj", template=None)
    done = llamapack("pack", gguf, "--mmproj", eyes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Bundle.open(tmp_path / "tiny.llamafile") as bundle:
        model, projector = sbom.weights(bundle)
    assert model["modelCard"]["modelParameters"] == {
        "architectureFamily": "llama",
        "inputs": [{"format": "text"}, {"format": "image"}],
        "outputs": [{"format": "text"}],
        "task": "image-text-to-text",
    }
    assert "task" not in projector["modelCard"]["modelParameters"]
    for component, path in ((model, gguf), (projector, eyes)):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        assert component["hashes"] == [{"alg": "SHA-256", "content": sha256}]


def test_every_shard_has_its_own_hash(llamapack: CommandLine, tmp_path: Path) -> None:
    shards = [
        write_gguf(
            tmp_path / f"m-0000{n + 1}-of-00002.gguf", shard=(n, 2, 2), tensors=[tensor], seed=n
        )
        for n, tensor in enumerate(("token_embd.weight", "output.weight"))
    ]
    done = llamapack("pack", shards[0], "-o", tmp_path / "m.llamafile")
    assert done.returncode == 0, done.stderr
    with Bundle.open(tmp_path / "m.llamafile") as bundle:
        (model,) = sbom.weights(bundle)
    assert "hashes" not in model
    assert [(one["name"], one["hashes"][0]["content"]) for one in model["components"]] == [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in shards
    ]
