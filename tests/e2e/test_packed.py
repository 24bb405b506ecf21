"""What was packed is used from inside the file: shards, adapters, archives, settings."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from helpers.gguf_shards import split_gguf
from helpers.repository import DEMO, LORA, REPOSITORY
from helpers.running import (
    QUESTION,
    answer,
    family,
    fetched,
    greedy,
    llamapack,
    pack,
    run,
    serving,
    succeed,
)

GIB = 1 << 30
LINUX = ("--targets", "linux-x86_64")
RECIPE = REPOSITORY / "templates" / "recipes" / "demo.toml"


@pytest.fixture(scope="module")
def pirate(engines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the demo's adapter, which ends every answer like a pirate."""
    return pack(DEMO, "--lora", LORA, *LINUX, output=tmp_path_factory.mktemp("pirate") / "lora")


@pytest.mark.parametrize("merge", [(), ("--merge",)])
def test_three_shards(merge: tuple[str], expected: bytes, engines: object, tmp_path: Path) -> None:
    shards = split_gguf(DEMO, tmp_path, 3)
    bundle = pack(shards[0], *merge, *LINUX, output=tmp_path / "shards.llamafile")
    names = [name for name in zipfile.ZipFile(bundle).namelist() if name.endswith(".gguf")]
    assert len(names) == (1 if merge else 3)
    for shard in shards:
        shard.unlink()
    assert answer(bundle, cwd=tmp_path) == expected


def pair(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


def number(value: int) -> bytes:
    return struct.pack("<I", value)


MODEL = pair(b"general.architecture", 8, struct.pack("<Q", 5))
CONTEXT = (b"llama.context_length", 4, number(1024))
FIRST_TYPE = b"token_embd.weight" + struct.pack("<IQQ", 2, 256, 768)
FILE_TYPE = pair(b"general.file_type", 4, number(7))
LATER = {
    "an architecture to come": (MODEL + b"llama", MODEL + b"zebra", "zebra"),
    "a type to come": (FIRST_TYPE + number(8), FIRST_TYPE + number(99), "ggml type '99'"),
}
NEVER = {
    "no architecture": (b"general.architecture", b"general.architectura", "architecture: ''"),
    "another kind of number": (pair(*CONTEXT)[:-4], pair(CONTEXT[0], 5, b""), "wrong type i32"),
    "no context": (pair(*CONTEXT), pair(*CONTEXT[:2], number(0)), "no context"),
    "a removed type": (FIRST_TYPE + number(8), FIRST_TYPE + number(31), "REMOVED"),
    "no tokenizer": (b"tokenizer.ggml.model", b"tokenizer.ggml.modex", "tokenizer.ggml.model"),
    "no vocabulary": (b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenx", "tokenizer vocab"),
    "no merges": (b"tokenizer.ggml.merges", b"tokenizer.ggml.mergex", "tokenizer merges"),
    "equal tokens": (
        struct.pack("<cQc", b"!", 1, b'"'),
        struct.pack("<cQc", b"!", 1, b"!"),
        "crash",
    ),
    "tensors too close": (FILE_TYPE, pair(b"general.alignment", 4, number(8)), "multiple of 32"),
    "a signed alignment": (FILE_TYPE, pair(b"general.alignment", 5, number(32)), "is i32"),
}
"""What of the demo model becomes what, and what pack says to it."""


@pytest.mark.parametrize("what", [*LATER, *NEVER])
def test_models_that_the_engine_does_not_load(what: str, engines: object, tmp_path: Path) -> None:
    """A newer llama.cpp may load some of them, so they are packed with a warning."""
    old, new, said = (LATER | NEVER)[what]
    model, data = tmp_path / "m.gguf", DEMO.read_bytes()
    assert data.count(old) == 1
    model.write_bytes(data.replace(old, new))
    done = llamapack("pack", model, *LINUX, "--gpu", "none", "-o", tmp_path / "m.llamafile")
    assert done.returncode == (what in NEVER), done.stderr
    message = next(line for line in done.stderr.splitlines() if said in line)
    assert message.startswith("ERROR" if what in NEVER else "WARNING")


def test_a_model_from_an_archive(expected: bytes, engines: object, tmp_path: Path) -> None:
    archive = tmp_path / "weights.zip"
    command = ["7z", "a", "-tzip", "-mm=Deflate", "-mx=1", archive, DEMO]
    subprocess.run(command, check=True, capture_output=True)
    assert answer(pack(archive, *LINUX, output=tmp_path / "zipped")) == expected


def test_an_adapter_changes_the_answer(pirate: Path, demo_bundle: Path) -> None:
    with_adapter = answer(pirate, "-n", "64")
    assert b"Ahoy, matey!" in with_adapter
    assert b"Ahoy" not in answer(demo_bundle, "-n", "64")
    assert with_adapter == answer(demo_bundle, "-n", "64", "-m", DEMO, "--lora", LORA)


def test_the_users_weights_win_over_the_bundles(pirate: Path, demo_bundle: Path) -> None:
    """And nothing that belongs to the bundle's own weights is used with them."""
    assert b"Ahoy" not in answer(pirate, "-m", DEMO, "-n", "64")
    assert b"Ahoy" not in answer(pirate, "-m", demo_bundle, "-n", "64")
    assert b"Ahoy" in answer(demo_bundle, "-m", pirate, "-n", "64")


def test_an_adapter_with_a_scale(engines: object, tmp_path: Path) -> None:
    bundle = pack(DEMO, "--lora", f"{LORA}:0.5", *LINUX, output=tmp_path / "scaled")
    with serving(bundle) as server:
        (adapter,) = fetched(f"{server.url}/lora-adapters")
    assert (adapter["path"], adapter["scale"]) == (f"/zip/{LORA.name}", 0.5)


def test_a_draft_model_is_used(expected: bytes, engines: object, tmp_path: Path) -> None:
    draft = tmp_path / "draft.gguf"
    shutil.copyfile(DEMO, draft)
    bundle = pack(DEMO, "--draft", draft, *LINUX, output=tmp_path / "drafted")
    question = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
    with serving(bundle) as server:
        timings = fetched(f"{server.url}/v1/chat/completions", question)["timings"]
    # The model drafts for itself, so nearly all must be accepted.
    assert timings["draft_n"] > 0
    assert timings["draft_n_accepted"] > timings["draft_n"] // 2
    assert answer(bundle) == expected


def test_members_by_both_names(expected: bytes, demo_bundle: Path, tmp_path: Path) -> None:
    for name in ("demo.gguf", "/zip/demo.gguf"):
        assert answer(demo_bundle, "-m", name, cwd=tmp_path) == expected


def test_a_template_in_the_bundle(engines: object, tmp_path: Path) -> None:
    template = tmp_path / "shout.jinja"
    template.write_text("{% for m in messages %}[{{ m.content | upper }}]{% endfor %}")
    bundle = pack(DEMO, "--chat-template", template, *LINUX, output=tmp_path / "template")
    template.unlink()
    with serving(bundle) as server:
        body = {"messages": [{"role": "user", "content": "hello"}]}
        assert fetched(f"{server.url}/apply-template", body)["prompt"] == "[HELLO]"


def test_recipe_flags_and_round_trip(engines: object, tmp_path: Path) -> None:
    """The same bytes from a recipe, by flags, and from the recipe that the file holds."""
    by_recipe, by_flags, again = (tmp_path / f"{name}.llamafile" for name in ("r", "f", "again"))
    options = ("--gpu", "none", "-q", *LINUX)
    succeed("pack", "--recipe", RECIPE, *options, "-o", by_recipe, cwd=REPOSITORY)
    pack(
        DEMO, *LINUX, "--card-field", "title=llamapack demo", "--card-field", "language=en",
        "--card-field", "pipeline_tag=text-generation", output=by_flags,
    )  # fmt: skip
    assert by_recipe.read_bytes() == by_flags.read_bytes()
    recipe = tmp_path / "again.toml"
    recipe.write_text(succeed("inspect", "--recipe", by_recipe, cwd=REPOSITORY))
    succeed("pack", "--recipe", recipe, "-o", again, "-q", cwd=REPOSITORY)
    assert again.read_bytes() == by_recipe.read_bytes()


def test_defaults_reach_the_server(engines: object, tmp_path: Path) -> None:
    bundle = pack(
        DEMO, *LINUX, "--ctx-size", "256", "--sampling", "temperature=0", "--sampling",
        "top_k=7", "--sampling", "stop= program", output=tmp_path / "defaults.llamafile",
    )  # fmt: skip
    with serving(bundle) as server:
        settings = fetched(f"{server.url}/props")["default_generation_settings"]
        said = greedy(server.url)
    assert settings["n_ctx"] == 256
    assert (settings["params"]["temperature"], settings["params"]["top_k"]) == (0, 7)
    assert said == "A llamafile is one file that holds a language model and the"


def test_licenses_are_printed(engines: object, tmp_path: Path) -> None:
    terms = {"LICENSE": "Terms of the weights.", "USE_POLICY.md": "Use them well."}
    words: list[str | Path] = []
    for name, text in terms.items():
        (tmp_path / name).write_text(f"{text}\n")
        words += ["--license", tmp_path / name]
    bundle = pack(DEMO, *LINUX, *words, output=tmp_path / "licensed.llamafile")
    said = run(["sh", bundle, "--licenses"]).stdout.decode()
    assert "MIT License" in said
    for name, text in terms.items():
        assert f"License for the weights: {name}\n{'=' * (25 + len(name))}\n\n{text}\n" in said


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
    bundle = grown(pack(DEMO, *LINUX, output=tmp_path / "far.llamafile"), 5 * GIB)
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
    bundle = pack(DEMO, other, *LINUX, output=tmp_path / "two.llamafile")
    subprocess.run(["sync", str(bundle)], check=True)
    with bundle.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(bundle) > 10 << 20:
        pytest.skip("this machine keeps the file in its page cache whatever it is told")
    with serving(bundle) as server:
        time.sleep(0.5)
        resident = max(one.memory_info().rss for one in family(server.process.pid))
    assert cached_bytes(bundle) < 60 << 20
    assert resident < 200 << 20


def test_locked_memory_is_the_models_too(expected: bytes, demo_bundle: Path) -> None:
    assert answer(demo_bundle, "--mlock") == expected
    assert answer(demo_bundle, "--no-mmap") == expected
