"""What `pack` was given, seen from the engine: merged shards, archives, scales, draft models."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

from helpers.gguf_shards import split_gguf
from helpers.repository import DEMO, LORA
from helpers.running import QUESTION, answer, pack, serving


def asked(url: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=120) as reply:
        return json.load(reply)


def test_merged_shards_answer_as_the_whole(engines: object, tmp_path: Path) -> None:
    first, *_ = split_gguf(DEMO, tmp_path)
    bundle = pack(first, "--merge", "--targets", "linux-x86_64", output=tmp_path / "merged")
    assert answer(bundle) == answer(bundle, "-m", DEMO)


def test_a_model_from_an_archive_answers(engines: object, tmp_path: Path) -> None:
    archive = tmp_path / "weights.zip"
    command = ["7z", "a", "-tzip", "-mm=Deflate", "-mx=1", archive, DEMO]
    subprocess.run(command, check=True, capture_output=True)
    bundle = pack(archive, "--targets", "linux-x86_64", output=tmp_path / "zipped")
    assert answer(bundle) == answer(bundle, "-m", DEMO)


def test_an_adapter_with_a_scale(engines: object, tmp_path: Path) -> None:
    bundle = pack(
        DEMO, "--lora", f"{LORA}:0.5", "--targets", "linux-x86_64", output=tmp_path / "scaled"
    )
    with serving(bundle) as server:
        (adapter,) = asked(f"{server.url}/lora-adapters")  # type: ignore[misc]
    assert (adapter["path"], adapter["scale"]) == (f"/zip/{LORA.name}", 0.5)  # type: ignore[has-type]


def test_a_draft_model_is_used(engines: object, tmp_path: Path) -> None:
    draft = tmp_path / "draft.gguf"
    shutil.copyfile(DEMO, draft)
    bundle = pack(DEMO, "--draft", draft, "--targets", "linux-x86_64", output=tmp_path / "drafted")
    question = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
    with serving(bundle) as server:
        reply = asked(f"{server.url}/v1/chat/completions", question)
    timings = reply["timings"]  # type: ignore[index]
    # The model drafts for itself, so nearly all must be accepted.
    assert timings["draft_n"] > 0
    assert timings["draft_n_accepted"] > timings["draft_n"] // 2
    assert answer(bundle) == answer(bundle, "-m", DEMO)
