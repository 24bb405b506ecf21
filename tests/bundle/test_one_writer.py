"""`pack` with options, and `pack` followed by `edit`, give the same bytes whatever the options."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from helpers.stand_ins import write_engine, write_gguf, write_web_ui
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from packer import cli
from packer.engines import cache as engines
from packer.engines import front
from packer.engines.front import Front

MODELS = ("tiny.gguf", "other.gguf", "bare.gguf")
FILES = {
    "NOTICE": (b"of the model\n", b"another notice\n"),
    "a.txt": (b"", b"a" * 1000),
    "\u00e4.json": (b"{}",),
    # Two of a megabyte and more, which follow the weights: one that deflate makes small.
    "big.bin": (random.Random(1).randbytes(1 << 20), random.Random(2).randbytes((1 << 20) + 1)),
    "zeros.bin": (bytes(3 << 20), b"small"),
}
ARGS = (
    "", " ", "-c 4096", "  --temp 0 # cold\n\n", "--lora tiny.gguf -c 1", "'a b'\n...\n$HOME",
    "--embeddings", "--embeddings\n--pooling\ncls", "--rerank -c 1", "--reranking\n",
    "-m other.gguf", "\n-c\n12\n", "-c\n12\n--temp\n0", "--lora\ntiny.gguf\n",
)  # fmt: skip


@dataclass(frozen=True)
class Wishes:
    """What a bundle is to be, as both commands can be told."""

    models: tuple[str, ...] = MODELS[:1]
    files: tuple[tuple[str, int], ...] = ()
    """Names, and which of the contents each has."""
    template: str | None = None
    args: str = ""
    name: str = "Tiny"


class Workplace:
    """A folder with a packer whose engines are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for seed, name in enumerate(MODELS):
            embeds = name == "bare.gguf"
            write_gguf(
                folder / name, name=name, seed=seed, template=None if embeds else "{{ messages }}",
                facts={"llama.pooling_type": 1} if embeds else {},
            )  # fmt: skip
        for name, contents in FILES.items():
            for number, data in enumerate(contents):
                (folder / str(number)).mkdir(exist_ok=True)
                (folder / str(number) / name).write_bytes(data)

    def pack(self, path: Path, wishes: Wishes) -> bytes:
        """The bundle that `pack` makes."""
        words = [str(self.model(name)) for name in wishes.models]
        words += [word for file in wishes.files for word in ("--add", self._file(file))]
        words += ["--chat-template", wishes.template] if wishes.template else []
        words += [f"--args={wishes.args}", "--name", wishes.name, "--force", "-q"]
        run("pack", *words, "-o", path)
        return path.read_bytes()

    def edit(self, path: Path, old: Wishes, new: Wishes) -> bytes:
        """What `edit` makes of a bundle of other wishes."""
        words: list[str] = []
        if new.args != old.args:
            words.append(f"--args={new.args}")
        if new.template != old.template:
            words += ["--chat-template", new.template or "none"]
        if new.name != old.name:
            words += ["--name", new.name]
        names = {name for name, _ in new.files}
        gone = [name for name, _ in old.files if name not in names]
        gone += [name for name in old.models if name not in new.models]
        added = [str(self.model(name)) for name in new.models if name not in old.models]
        added += [self._file(file) for file in new.files if file not in old.files]
        words += [word for name in gone for word in ("--remove", name)]
        words += [word for name in added for word in ("--add", name)]
        if words:
            run("edit", path, *words, "--force", "-q")
        run("verify", path)
        return path.read_bytes()

    def model(self, name: str) -> Path:
        return self._folder / name

    def _file(self, file: tuple[str, int]) -> str:
        name, number = file
        return str(self._folder / str(number) / name)


def run(*words: str | Path) -> None:
    assert cli.main([str(word) for word in words]) == 0, words


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("workplace")
    engine, web_ui = write_engine(folder / "engine"), write_web_ui(folder / "web-ui")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMAPACK_BUILD_CACHE", str(folder / "cache"))
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        patch.setattr(engines, "chosen", lambda targets: {"linux-x86_64": engine})
        patch.setattr(engines, "web_ui", lambda: web_ui)
        head = Front(b"jartsr='\n'\n".ljust(65536))
        patch.setattr(front, "polyglot", lambda targets, cmd=False: head)
        yield Workplace(folder)


WISHES = st.builds(
    Wishes,
    models=st.lists(st.sampled_from(MODELS), min_size=1, unique=True).map(tuple),
    files=st.lists(
        st.sampled_from([(name, n) for name, all_ in FILES.items() for n in range(len(all_))]),
        unique_by=lambda file: file[0],
    ).map(tuple),
    template=st.sampled_from([None, "chatml", "llama2"]),
    args=st.sampled_from(ARGS),
    name=st.sampled_from(["Tiny", "\u00c4 name"]),
)


@example(Wishes(), Wishes(template="chatml", files=(("NOTICE", 0),)), Wishes())
@example(Wishes(args=ARGS[3]), Wishes(args=ARGS[3], name="other"), Wishes())
@example(Wishes(args=ARGS[4]), Wishes(args=ARGS[4], template="chatml"), Wishes())
@example(Wishes(args=ARGS[8]), Wishes(args=ARGS[2]), Wishes(args=ARGS[9], template="chatml"))
@example(Wishes(MODELS[:2], args=ARGS[6]), Wishes(MODELS[1:2], args=ARGS[6]), Wishes())
@example(
    Wishes(files=(("zeros.bin", 0), ("a.txt", 1))),
    Wishes(MODELS, files=(("zeros.bin", 0), ("big.bin", 0))),
    Wishes(MODELS[2:], files=(("zeros.bin", 1),)),
)
@given(WISHES, WISHES, WISHES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_bytes_depend_on_the_wishes_alone(
    workplace: Workplace, tmp_path: Path, first: Wishes, second: Wishes, third: Wishes
) -> None:
    """Also after two edits, of which the second may take back what the first did."""
    path = tmp_path / "edited.llamafile"
    workplace.pack(path, first)
    old = first
    for wishes in (second, third):
        # Weights that are there stay where they are, in front of new ones.
        kept = [name for name in old.models if name in wishes.models]
        new = replace(wishes, models=tuple(dict.fromkeys([*kept, *wishes.models])))
        edited = workplace.edit(path, old, new)
        # Not compared by `assert`, which takes minutes to describe a difference.
        same = edited == workplace.pack(tmp_path / "fresh.llamafile", new)
        assert same, f"{old} became {new}"
        old = new


def test_what_belongs_to_a_model_may_come_later(workplace: Workplace, tmp_path: Path) -> None:
    """Projectors and adapters have flags of their own in `pack`, which gives them their order."""
    eyes = write_gguf(tmp_path / "eyes.gguf", kind="mmproj")
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    model = workplace.model("tiny.gguf")
    path, fresh = tmp_path / "edited.llamafile", tmp_path / "fresh.llamafile"
    run("pack", model, "-q", "-o", path)
    run("edit", path, "--add", lora, eyes, "-q")
    run("pack", model, "--mmproj", eyes, "--lora", lora, "-q", "-o", fresh)
    assert path.read_bytes() == fresh.read_bytes()


def test_a_model_that_is_served_by_name_may_come_later(
    workplace: Workplace, tmp_path: Path
) -> None:
    one, other = (f"{name}={workplace.model(f'{name}.gguf')}" for name in ("tiny", "other"))
    path, fresh = tmp_path / "edited.llamafile", tmp_path / "fresh.llamafile"
    run("pack", "--model", one, "-q", "-o", path)
    run("edit", path, "--add", workplace.model("other.gguf"), "-q")
    run("pack", "--model", one, "--model", other, "-q", "-o", fresh)
    assert path.read_bytes() == fresh.read_bytes()
