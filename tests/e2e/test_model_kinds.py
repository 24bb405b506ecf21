"""Models that do not chat: packed from their folders, they do what they are for without a flag."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import real_models
from helpers.running import client, fetched, pack, serving

from packer.convert.converter import find_python, offline_environment

TEXTS = [
    "What is a llama?",
    "An animal of the Andes.",
    "Grüße, 世界! Two  blanks, and 3 numbers: 12 345.",
    "word " * 200,
]


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that ranks; beside it, the embeddings of TEXTS."""
    folder = tmp_path_factory.mktemp("reference")
    script = Path(__file__).with_name("kinds_reference.py")
    done = subprocess.run(
        [find_python(), script, real_models.MINILM, folder / "reranker"],
        input=json.dumps(TEXTS), env=offline_environment(), capture_output=True, text=True,
        check=True, timeout=300,
    )  # fmt: skip
    (folder / "embeddings.json").write_text(done.stdout)
    return folder / "reranker"


def test_embeddings_are_those_of_transformers(mini_bundle: Path, reranker: Path) -> None:
    expected = np.array(json.loads((reranker.parent / "embeddings.json").read_text()))
    with serving(mini_bundle) as server:
        answer = client(server.url).embeddings.create(model="mini", input=TEXTS)
    found = np.array([one.embedding for one in answer.data])
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1)
    assert cosines.min() >= 0.9999
    # A test that any two texts would pass shows nothing.
    assert (expected[0] * expected[1]).sum() < 0.9


def test_a_reranker_ranks(reranker: Path, engines: object, tmp_path: Path) -> None:
    bundle = pack(reranker, "--targets", "linux-x86_64", output=tmp_path / "rank.llamafile")
    body = {"model": "rank", "query": TEXTS[0], "documents": TEXTS[1:3]}
    with serving(bundle) as server:
        results = fetched(f"{server.url}/v1/rerank", body)["results"]
    scores = [one["relevance_score"] for one in results]
    assert sorted(one["index"] for one in results) == [0, 1]
    assert scores[0] > scores[1]
