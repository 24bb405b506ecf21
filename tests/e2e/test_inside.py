"""What lies inside a bundle is used from inside it: shards, adapters, weights beyond 4 GiB."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from helpers.gguf_shards import split_gguf
from helpers.repository import DEMO, LORA
from helpers.running import answer, pack, run, serving

GIB = 1 << 30


@pytest.fixture(scope="module")
def expected(demo_bundle: Path) -> bytes:
    return answer(demo_bundle)


def test_three_shards(expected: bytes, engines: object, tmp_path: Path) -> None:
    shards = split_gguf(DEMO, tmp_path, 3)
    bundle = pack(shards[0], output=tmp_path / "shards.llamafile")
    names = [name for name in zipfile.ZipFile(bundle).namelist() if name.endswith(".gguf")]
    assert len(names) == 3
    for shard in shards:
        shard.unlink()
    assert answer(bundle, cwd=tmp_path) == expected


def test_an_adapter_changes_the_answer(demo_bundle: Path, tmp_path: Path) -> None:
    """The demo's adapter ends every answer like a pirate."""
    bundle = pack(DEMO, "--lora", LORA, output=tmp_path / "lora.llamafile")
    with_adapter = answer(bundle, "-n", "64")
    assert b"Ahoy, matey!" in with_adapter
    assert b"Ahoy" not in answer(demo_bundle, "-n", "64")
    assert with_adapter == answer(demo_bundle, "-n", "64", "-m", DEMO, "--lora", LORA)


def test_the_users_weights_win_over_the_bundles(engines: object, tmp_path: Path) -> None:
    """And nothing that belongs to the bundle's own weights is used with them."""
    bundle = pack(DEMO, "--lora", LORA, output=tmp_path / "lora.llamafile")
    assert b"Ahoy" not in answer(bundle, "-m", DEMO, "-n", "64")


def test_weights_of_another_bundle(demo_bundle: Path, tmp_path: Path) -> None:
    bundle = pack(DEMO, "--lora", LORA, output=tmp_path / "lora.llamafile")
    assert b"Ahoy" not in answer(bundle, "-m", demo_bundle, "-n", "64")
    assert b"Ahoy" in answer(demo_bundle, "-m", bundle, "-n", "64")


def test_members_by_both_names(expected: bytes, demo_bundle: Path, tmp_path: Path) -> None:
    for name in ("demo.gguf", "/zip/demo.gguf"):
        assert answer(demo_bundle, "-m", name, cwd=tmp_path) == expected


def test_a_template_in_the_bundle(engines: object, tmp_path: Path) -> None:
    template = tmp_path / "shout.jinja"
    template.write_text("{% for m in messages %}[{{ m.content | upper }}]{% endfor %}")
    bundle = pack(DEMO, "--chat-template", template, output=tmp_path / "template.llamafile")
    template.unlink()
    with serving(bundle) as server:
        body = json.dumps({"messages": [{"role": "user", "content": "hello"}]})
        done = run(["curl", "-s", f"{server.url}/apply-template", "-d", body])
        assert json.loads(done.stdout)["prompt"] == "[HELLO]"


def grown(bundle: Path, filler: int) -> Path:
    """Append the weights once more, behind a hole of that many bytes, with Python's own writer."""
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.start_dir += filler
        info = zipfile.ZipInfo("far.gguf")
        padding = -(archive.start_dir + 30 + len(info.filename) + 4) % 65536
        info.extra = b"\x35\xd9" + padding.to_bytes(2, "little") + bytes(padding)
        archive.writestr(info, DEMO.read_bytes())
    return bundle


def test_weights_beyond_4_gib(expected: bytes, engines: object, tmp_path: Path) -> None:
    bundle = grown(pack(DEMO, output=tmp_path / "far.llamafile"), 5 * GIB)
    info = zipfile.ZipFile(bundle).getinfo("far.gguf")
    assert info.header_offset > 4 * GIB
    assert answer(bundle, "-m", "/zip/far.gguf") == expected


def cached_bytes(path: Path) -> int:
    done = run(["fincore", "--bytes", "--noheadings", "--output", "RES", path])
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stdout)


def test_memory_holds_the_model_in_use_not_the_file(engines: object, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    # A second model of 300 MB that is real bytes on the disk: the demo with a long tail.
    with other.open("wb") as file:
        file.write(DEMO.read_bytes())
        for _ in range(300):
            file.write(bytes(1 << 20))
    bundle = pack(DEMO, other, output=tmp_path / "two.llamafile")
    subprocess.run(["sync", str(bundle)], check=True)
    with bundle.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(bundle) > 10 << 20:
        pytest.skip("this machine keeps the file in its page cache whatever it is told")

    with serving(bundle) as server:
        time.sleep(0.5)
        process = psutil.Process(server.process.pid)
        resident = max(
            one.memory_info().rss for one in [process, *process.children(recursive=True)]
        )
    assert cached_bytes(bundle) < 60 << 20
    assert resident < 200 << 20


def test_locked_memory_is_the_models_too(expected: bytes, demo_bundle: Path) -> None:
    assert answer(demo_bundle, "--mlock") == expected
    assert answer(demo_bundle, "--no-mmap") == expected
