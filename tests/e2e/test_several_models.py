"""Two models and a vision projector in one file, each model in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from helpers.repository import DEMO, LORA
from helpers.running import (
    QUESTION,
    Server,
    answer,
    client,
    family,
    fetched,
    greedy,
    pack,
    refusal,
    run,
    serving,
    until_gone,
)
from vision import picture, write_projector

EMBEDDING = 256  # of the demo model
AHOY = "Ahoy, matey!"  # how the demo's adapter ends every answer


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the second model and its projector."""
    folder = tmp_path_factory.mktemp("parts")
    shutil.copyfile(DEMO, folder / "second.gguf")
    write_projector(folder / "eyes.gguf", EMBEDDING)
    return folder


@pytest.fixture(scope="module")
def two(engines: object, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`plain`, and `pirate` with an adapter, a projector and a smaller context."""
    return pack(
        "--model", f"plain={DEMO}", "--model", f"pirate={parts / 'second.gguf'}",
        "--lora", f"pirate={LORA}", "--mmproj", f"pirate={parts / 'eyes.gguf'}",
        "--model-args", "pirate=-c 512", "--targets", "linux-x86_64",
        output=tmp_path_factory.mktemp("two") / "two.llamafile",
    )  # fmt: skip


@pytest.fixture(scope="module")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Hub cache in which the user has a model."""
    folder = tmp_path_factory.mktemp("hub")
    revision = folder / "models--org--mine-GGUF" / "snapshots" / ("0" * 40)
    revision.mkdir(parents=True)
    shutil.copyfile(DEMO, revision / "mine-Q8_0.gguf")
    refs = folder / "models--org--mine-GGUF" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def server(two: Path, hub_cache: Path) -> Iterator[Server]:
    with serving(two) as started:
        yield started


def asked(server: Server, model: str) -> str:
    return greedy(server.url, model, max_tokens=64)


def first_word(server: Server, model: str, *pictures: str) -> dict[str, float]:
    """What an answer may begin with, and the logarithms of the probabilities."""
    images = [{"type": "image_url", "image_url": {"url": one}} for one in pictures]
    content = [{"type": "text", "text": "Say"}, *images]
    done = client(server.url).chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": content}],  # type: ignore[list-item, misc]
        temperature=0,
        max_tokens=1,
        logprobs=True,
        top_logprobs=5,
    )
    assert done.choices[0].logprobs
    assert done.choices[0].logprobs.content
    return {one.token: one.logprob for one in done.choices[0].logprobs.content[0].top_logprobs}


def context(server: Server, model: str) -> int:
    found = fetched(f"{server.url}/props?model={quote(model)}")
    return int(found["default_generation_settings"]["n_ctx"])


def children(server: Server) -> list[psutil.Process]:
    return family(server.process.pid)[1:]


def test_both_are_listed_and_nothing_else(two: Path, server: Server) -> None:
    listed = run(["sh", two, "--server", "--cache-list"])
    assert b"org/mine-GGUF:Q8_0" in listed.stdout + listed.stderr  # the user has a model
    assert {model.id for model in client(server.url).models.list()} == {"plain", "pirate"}


def test_both_answer(server: Server) -> None:
    plain, pirate = asked(server, "plain"), asked(server, "pirate")
    assert AHOY in pirate
    assert AHOY not in plain
    assert len(children(server)) == 2


def test_the_first_answers_for_models_that_are_not_there(server: Server) -> None:
    assert asked(server, "gemma-27b-it") == asked(server, "plain")
    body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
    unnamed = fetched(f"{server.url}/v1/chat/completions", body)
    assert unnamed["choices"][0]["message"]["content"] == asked(server, "plain")


def test_each_has_arguments_of_its_own(server: Server) -> None:
    assert (context(server, "plain"), context(server, "pirate")) == (1024, 512)


def test_the_user_s_arguments_are_for_all(two: Path) -> None:
    with serving(two, "-c", "256") as server:
        assert (context(server, "plain"), context(server, "pirate")) == (256, 256)


def test_the_projector_is_read_from_inside(two: Path, server: Server, parts: Path) -> None:
    red, blue = picture(255, 0, 0), picture(0, 0, 255)
    seen = [first_word(server, "pirate", *colours) for colours in ([red], [blue], [])]
    assert all(one != pytest.approx(other, abs=0.01) for one, other in combinations(seen, 2))
    outside = ["-m", str(parts / "second.gguf"), "--lora", str(LORA), "-c", "512"]
    with serving(two, *outside, "--mmproj", str(parts / "eyes.gguf")) as other:
        for colours, inside in zip(([red], [blue], []), seen, strict=True):
            assert first_word(other, "pirate", *colours) == pytest.approx(inside, abs=0.001)
    modalities = {
        model["id"]: model["architecture"]["input_modalities"]
        for model in fetched(f"{server.url}/v1/models")["data"]
    }
    assert modalities == {"plain": ["text"], "pirate": ["text", "image", "video"]}


def test_members_are_mapped_and_only_they(two: Path, server: Server) -> None:
    asked(server, "pirate")
    for child in children(server):
        maps = Path(f"/proc/{child.pid}/maps").read_text()
        mapped = [
            int(end, 16) - int(begin, 16)
            for begin, end, rights in re.findall(
                rf"^(\w+)-(\w+) (....) .* {re.escape(str(two))}$", maps, re.MULTILINE
            )
            if rights.startswith("r")
        ]
        assert mapped
        assert sum(mapped) < DEMO.stat().st_size + LORA.stat().st_size + (1 << 20)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_their_processes_end_with_the_server(two: Path, how: signal.Signals) -> None:
    with serving(two) as server:
        asked(server, "plain")
        asked(server, "pirate")
        processes = children(server)
        assert len(processes) == 2
        server.process.send_signal(how)
        until_gone(processes)
        assert server.process.wait(30) == (0 if how == signal.SIGTERM else -how)


def test_they_end_while_they_load(two: Path) -> None:
    """The first model is loaded at the start; the server is killed before that is done."""
    with serving(two) as server:
        deadline = time.monotonic() + 60
        while not (processes := children(server)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert processes
        server.process.kill()
        until_gone(processes)


def test_one_of_them_by_its_name(two: Path, tmp_path: Path) -> None:
    assert AHOY.encode() in answer(two, "-m", "pirate", "-n", "64", cwd=tmp_path)
    assert AHOY.encode() not in answer(two, "-m", "plain", "-n", "64", cwd=tmp_path)
    assert AHOY.encode() not in answer(two, "-n", "64", cwd=tmp_path)
    with serving(two, "-m", "pirate") as server:
        assert [model.id for model in client(server.url).models.list()] == ["pirate"]
        assert AHOY in asked(server, "pirate")
        assert not children(server)


def test_a_name_that_is_not_there(two: Path, tmp_path: Path) -> None:
    done = run(["sh", two, "--server", "-m", "parrot"], cwd=tmp_path)
    error, tip = refusal(done)
    assert error.startswith("parrot: no such file")
    assert tip.endswith("one of: pirate, plain")


def test_the_chat_changes_between_them(two: Path, tmp_path: Path) -> None:
    spoken = f"/model\n{QUESTION}\n/model pirate\n{QUESTION}\n/model parrot\n"
    command = ["sh", two, "--chat", "--temp", "0", "-n", "64"]
    done = run(command, typed=spoken.encode(), cwd=tmp_path)
    said = done.stdout.decode()
    assert said.startswith("  pirate\n* plain\n"), done
    assert said.count(AHOY) == 1
    assert said.rstrip().endswith(AHOY)
    assert "there is no model `parrot`" in done.stderr.decode()


def test_the_members_of_a_bundle_named_otherwise(two: Path, tmp_path: Path) -> None:
    """Through a name with blanks and quotes, from another folder."""
    odd = tmp_path / "it's two.llamafile"
    os.link(two, odd)
    with serving(odd, cwd=tmp_path) as server:
        assert AHOY in asked(server, "pirate")


def test_a_ctrl_c_at_the_terminal_is_the_router_s(two: Path) -> None:
    """In a chat it stops an answer; the model must not end of it."""
    with serving(two) as server:
        asked(server, "plain")
        groups = [os.getpgid(child.pid) for child in children(server)]
        assert groups == [child.pid for child in children(server)]
