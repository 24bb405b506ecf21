"""A journal that a stranger put beside parts: nothing is lost, and nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.json_values import JSON
from helpers.part_sets import large_bundle, names, split
from helpers.stand_ins import CommandLine, Refused
from helpers.trees import tree, unharmed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer import cli

JOURNAL = "m.llamafile.joining.json"
GROWING = "m.llamafile.joining"
COUNT = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, Path]:
    """A command line, and a folder with parts of 400 kB, which tests only copy."""
    folder = tmp_path_factory.mktemp("made")
    llamapack = CommandLine(folder)
    assert len(split(llamapack, large_bundle(folder, llamapack), folder / "parts")) == COUNT
    return llamapack, folder


class Download:
    """A copy of the parts in a folder, and a user's own file elsewhere."""

    def __init__(self, top: Path, made: Path) -> None:
        shutil.rmtree(top, ignore_errors=True)
        self.top, self.folder = top, top / "download"
        shutil.copytree(made / "parts", self.folder)
        self.whole = (made / "whole" / "m.llamafile").read_bytes()
        self.parts = [self.folder / f"m.llamafile.cat{number}" for number in range(COUNT)]
        self.thesis = top / "home" / "thesis.tex"
        self.thesis.parent.mkdir()
        self.thesis.write_bytes(b"precious" * 125)
        self.journal = self.folder / JOURNAL

    def facts(self, **changed: Any) -> dict[str, Any]:
        """A journal as a join of these parts would write it, but for what is `changed`."""
        return {
            "format": 1,
            "parts": [part.name for part in self.parts],
            "sizes": [part.stat().st_size for part in self.parts],
            "sha256": hashlib.sha256(self.whole).hexdigest(),
            **changed,
        }

    def plant(self, **changed: Any) -> None:
        self.journal.write_text(json.dumps(self.facts(**changed)))


@pytest.fixture
def download(made: tuple[CommandLine, Path], tmp_path: Path) -> Download:
    return Download(tmp_path / "top", made[1])


@pytest.mark.parametrize(
    "changed",
    [
        {"parts": ["m.llamafile.cat0", "../home/thesis.tex"], "sizes": [400_000, 1000]},
        {"parts": ["m.llamafile.cat0", "{}/home/thesis.tex"], "sizes": [400_000, 1000]},
        {"parts": ["m.llamafile.cat0", "../home/m.llamafile.cat1"], "sizes": [400_000, 1000]},
        {"parts": ["m.llamafile.cat0", "C:m.llamafile.cat1"], "sizes": [400_000, 1000]},
        {"parts": ["m.llamafile.cat0", "m.llamafile.cat0"], "sizes": [400_000, 400_000]},
        {"parts": ["m.llamafile.cat0", "m.llamafile.cat00"], "sizes": [400_000, 400_000]},
        {"parts": ["m.llamafile.cat0", "other.llamafile.cat1"], "sizes": [400_000, 1000]},
        {"sizes": [400_000, 400_000, 400_000, 1]},
        {"sizes": [400_000] * 4},
        {"sizes": [0, 1, 2, 3]},
        {"sizes": [400_000, 400_000, 400_000, "1"]},
        {"sizes": [400_000, 400_000, 400_000, 10**30]},
        {"sha256": "0" * 64},
        {"sha256": 5},
        {"parts": {}, "sizes": {}},
        {"parts": [[]], "sizes": [[]]},
    ],
)
def test_a_planted_journal(
    changed: dict[str, Any], download: Download, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    """The tip is a way out: without the journal the parts are joined."""
    llamapack = made[0]
    top = str(download.top)
    if isinstance(parts := changed.get("parts"), list):
        changed = {**changed, "parts": [str(part).replace("{}", top) for part in parts]}
    evil = download.top / "home" / ".config" / "evil"
    evil.parent.mkdir()
    download.plant(**changed, output=str(evil))
    before = tree(download.top)
    for words in (["join", "--in-place"], ["run"]):
        done = llamapack(*words, download.parts[0], cwd=download.folder)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert tree(download.top) == before
    assert (
        JOURNAL in refused(llamapack("join", "--in-place", download.parts[0]))
        or "cat" in done.stderr
    )
    assert f"remove {download.journal}" in done.stderr
    # Nothing was joined yet, so a copy can be made all the same.
    aside = download.top / "copy.llamafile"
    llamapack.ran("join", download.parts[0], "-o", aside)
    assert aside.read_bytes() == download.whole
    download.journal.unlink()
    llamapack.ran("join", "--in-place", download.parts[0])
    assert (download.folder / "m.llamafile").read_bytes() == download.whole
    assert download.thesis.read_bytes() == b"precious" * 125


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"format": 1}', b"\xff\xfe\x00",
        b'{"format": 1, "parts": ["m.llamafile.cat0"], "sizes": [1e999], "sha256": "0"}',
        b'{"format": NaN}', b'{"format": ' + b"9" * 10_000 + b"}", b" " * (5 << 20),
    ],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_a_journal_that_is_none(
    text: bytes, download: Download, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    download.journal.write_bytes(text)
    before = tree(download.top)
    done = made[0]("join", "--in-place", download.parts[1])
    assert "is damaged" in refused(done)
    assert f"remove {download.journal}" in done.stderr
    assert tree(download.top) == before


def test_names_that_are_links(
    download: Download, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    """Of the journal, the growing file, a part and the whole, also to nowhere."""
    llamapack = made[0]
    join = ["join", "--in-place", download.parts[0]]
    for name, target in (
        (JOURNAL, download.thesis),
        (JOURNAL, download.top / "home" / "new"),
        (GROWING, download.thesis),
        (GROWING, download.top / "home" / "new"),
        ("m.llamafile", download.top / "home" / "new"),
    ):
        link = download.folder / name
        link.symlink_to(target)
        before = tree(download.top)
        assert name in refused(llamapack(*join))
        assert tree(download.top).items() >= before.items()
        link.unlink()
        (download.folder / JOURNAL).unlink(missing_ok=True)
    download.plant()
    aside = download.parts[2].rename(download.top / "home" / "cat2")
    download.parts[2].symlink_to(aside)
    before = tree(download.top)
    assert "symbolic link" in refused(llamapack(*join))
    assert tree(download.top) == before
    # The whole as a link to the growing file would be removed as its second name.
    download.parts[2].unlink()
    aside.rename(download.parts[2])
    download.parts[0].rename(download.folder / GROWING)
    (download.folder / "m.llamafile").symlink_to(GROWING)
    before = tree(download.top)
    assert "m.llamafile exists already" in refused(llamapack(*join))
    assert tree(download.top) == before


def test_the_list_of_hashes_has_the_last_word(
    download: Download, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    """A growing file and a journal that agree with each other, and not with it."""
    data = bytearray(download.parts[0].read_bytes())
    data[:4] = b"evil"
    download.parts[0].unlink()
    (download.folder / GROWING).write_bytes(data)
    evil = hashlib.sha256(bytes(data) + download.whole[len(data) :]).hexdigest()
    facts = download.facts
    download.parts[0].write_bytes(data)
    text = json.dumps(facts(sha256=evil))
    download.parts[0].unlink()
    download.journal.write_text(text)
    before = tree(download.top)
    done = made[0]("join", "--in-place", download.parts[1])
    assert "list of hashes" in refused(done)
    assert tree(download.top) == before


def test_a_first_part_beside_what_grows(
    download: Download, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    download.plant()
    shutil.copy(download.parts[0], download.folder / GROWING)
    before = tree(download.top)
    done = made[0]("join", "--in-place", download.parts[1])
    assert "both" in refused(done)
    assert tree(download.top) == before
    (download.folder / GROWING).unlink()
    download.journal.unlink()
    made[0].ran("join", "--in-place", download.parts[1])


def test_a_half_done_join_goes_on_elsewhere(
    download: Download, made: tuple[CommandLine, Path], tmp_path: Path
) -> None:
    """On another disk and with `-o`: the bytes prove what it is, not the place."""
    llamapack = made[0]
    download.plant(output="/nowhere/evil")
    growing = download.folder / GROWING
    download.parts[0].rename(growing)
    with growing.open("ab") as file:
        file.write(download.parts[1].read_bytes())
        file.write(bytes(300_000) + download.parts[2].read_bytes()[300_000:])
    os.truncate(download.parts[1], 0)
    os.truncate(download.parts[2], 300_000)
    elsewhere = Path(shutil.copytree(download.folder, tmp_path / "elsewhere"))
    output = elsewhere / "x y.llamafile"
    llamapack.ran("join", "--in-place", elsewhere / download.parts[3].name, "-o", output)
    assert output.read_bytes() == download.whole
    assert names(elsewhere) == ["x y.llamafile", "x y.llamafile.sha256"]
    assert shlex.quote(str(output)) != str(output)


NAMES = st.sampled_from(
    ["m.llamafile.cat0", "m.llamafile.cat1", "m.llamafile.cat2", "m.llamafile.cat3", "../home/x"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_journal(
    data: st.DataObject, made: tuple[CommandLine, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever it says, all bytes are there afterwards, and nothing else is."""
    download = Download(tmp_path_factory.getbasetemp() / "any", made[1])
    sizes = st.integers(0, 500_000) | st.sampled_from([400_000, 1 << 63]) | JSON
    field = {
        "parts": st.lists(NAMES | st.text(), max_size=5) | JSON,
        "sizes": st.lists(sizes, max_size=5) | JSON,
        "sha256": st.sampled_from(["0" * 64]) | JSON,
        "format": JSON,
    }
    chosen = data.draw(st.sets(st.sampled_from(sorted(field)), max_size=2))
    facts = download.facts(**{name: data.draw(field[name]) for name in sorted(chosen)})
    raw = data.draw(
        st.none() | st.binary(max_size=40) | JSON.map(lambda one: json.dumps(one).encode())
    )
    download.journal.write_bytes(json.dumps(facts).encode() if raw is None else raw)
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, 400_000))
        shutil.copy(download.parts[0], download.folder / GROWING)
        os.truncate(download.folder / GROWING, cut)
        if data.draw(st.booleans()):
            download.parts[0].unlink()
    before = tree(download.top)
    status = cli.main(["join", "--in-place", "-q", str(download.parts[1])])
    whole = download.folder / "m.llamafile"
    if status == 0:
        assert whole.read_bytes() == download.whole
        unharmed(
            before,
            download.top,
            *names(made[1] / "parts"),
            whole.name,
            JOURNAL,
            GROWING,
            "m.llamafile.sha256",
        )
    else:
        assert status == 1
        assert tree(download.top) == before


def _hash_of(*pieces: bytes) -> str:
    return hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("listed", ["no list", "his list", "my list"])
@pytest.mark.parametrize("case", ["nothing of the first", "a few bytes", "two of four", "grown"])
def test_a_journal_that_fits_its_own_hash(
    case: str, listed: str, download: Download, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chosen bytes have any hash, so bytes beside them need a proof too."""
    data = [part.read_bytes() for part in download.parts]
    names_ = [part.name for part in download.parts]
    first = {"nothing of the first": b"", "a few bytes": data[0][:100]}.get(case, data[0])
    used, sizes = [first, data[1]], [len(first), len(data[1])]
    if case == "grown":
        # What is there of the first two would be overwritten by the third.
        download.parts[0].rename(download.folder / GROWING)
        with (download.folder / GROWING).open("ab") as file:
            file.write(data[1])
        os.truncate(download.parts[1], 0)
        sizes = [100, len(data[0]) + len(data[1]) - len(data[2]) - 100, len(data[2])]
        sizes.append(len(data[3]))
        used = [(data[0] + data[1])[: sum(sizes[:2])], data[2], data[3]]
    facts = {
        "format": 1, "parts": names_[: len(sizes)], "sizes": sizes, "sha256": _hash_of(*used)
    }  # fmt: skip
    download.journal.write_text(json.dumps(facts))
    sums = download.folder / "m.llamafile.sha256"
    if listed == "no list":
        sums.unlink()
    elif listed == "his list":
        ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
        whole = b"".join(used)
        sums.write_text(
            "".join(
                f"{_hash_of(whole[a:b])}  {name}\n"
                for name, a, b in zip(names_, ends, ends[1:], strict=False)
            )
        )
    before = tree(download.top)
    for words in (["join", "--in-place", "-q"], ["run"]):
        assert cli.main([*words, str(download.parts[1])]) == 1
        error, tip = capsys.readouterr().err.splitlines()[-2:]  # `run` notes what it does
        assert (error.split()[0], tip.split()[0]) == ("ERROR", "TIP")
        assert f"remove {download.journal}" in tip or str(download.journal) in tip
        assert tree(download.top) == before


def test_a_journal_of_the_first_parts_of_a_growing_file(
    download: Download, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parts behind them are on the way yet, and nothing lists them."""
    data = [part.read_bytes() for part in download.parts]
    (download.folder / "m.llamafile.sha256").unlink()
    for part in download.parts[2:]:
        part.unlink()
    download.parts[0].rename(download.folder / GROWING)
    facts = {
        "format": 1,
        "parts": [part.name for part in download.parts[:2]],
        "sizes": [len(one) for one in data[:2]],
        "sha256": _hash_of(*data[:2]),
    }
    download.journal.write_text(json.dumps(facts))
    before = tree(download.top)
    assert cli.main(["join", "--in-place", "-q", str(download.parts[1])]) == 1
    assert "not all of a bundle" in capsys.readouterr().err
    assert tree(download.top) == before
