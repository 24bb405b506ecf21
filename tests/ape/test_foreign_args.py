"""`.args` in the two forms that programs of Cosmopolitan read, by the version of llamafile."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from helpers.foreign import write_foreign
from helpers.stand_ins import CommandLine, Refused, write_gguf
from hypothesis import given
from hypothesis import strategies as st

from packer.engines.other_runtimes import Dialect, dialect, ours, program_version, rewritten
from runtime.errors import InputError
from runtime.formats.args_file import parse, quote


def cosmo_args(text: str, environment: dict[str, str]) -> list[str]:
    """Words as `cosmo_args` splits them, as far as texts of ours go: no double quotes."""
    assert '"' not in text.replace("'\"'", "")
    words: list[str] = []
    word: list[str] | None = None
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char in " \t\r\n\f\v":
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        assert not (char == "#" and word is None)
        word = [] if word is None else word
        if char == "'":
            end = text.index("'", at)
            word.append(text[at:end])
            at = end + 1
        elif char == "\\":
            assert text[at] == "'", "other characters stand for others behind a backslash"
            word.append(text[at])
            at += 1
        elif char == "$":
            assert text[at] == "{"
            end = text.index("}", at)
            word.append(environment.get(text[at + 1 : end], ""))
            at = end + 1
        else:
            word.append(char)
    return words if word is None else [*words, "".join(word)]


WORD = st.text(st.characters(codec="utf-8", exclude_characters='\0"'), max_size=12)


@given(st.lists(WORD))
def test_words_come_back(words: list[str]) -> None:
    text = rewritten("\n".join(map(quote, words)), Dialect.WORDS)
    assert cosmo_args(text, {}) == (words if "..." in words else [*words, "..."])


@given(st.lists(WORD.filter(lambda word: word and not set(word) & {"\n", "\r"})))
def test_lines_come_back(words: list[str]) -> None:
    text = rewritten("\n".join(map(quote, words)), Dialect.LINES)
    said = words if "..." in words else [*words, "..."]
    assert text == "".join(f"{word}\n" for word in said)
    assert parse(ours(text, Dialect.LINES), {}) == said


def test_variables() -> None:
    text = rewritten("-m $HOME/x '$HOME' pre${A}post $A", Dialect.WORDS)
    assert cosmo_args(text, {"HOME": "/h", "A": "b c"}) == [
        "-m", "/h/x", "$HOME", "preb cpost", "b c", "...",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"the argument '\$HOME/x' cannot be"):
        rewritten("-m $HOME/x", Dialect.LINES)


def test_what_is_the_same_stays() -> None:
    text = "-m\r\nweights.gguf\n...\n"
    assert ours("-m\nweights.gguf\n...\n", Dialect.LINES) == "-m\nweights.gguf\n...\n"
    assert ours(text, Dialect.WORDS) == text
    assert ours("-p\nit's # 1\n", Dialect.LINES) == "-p\n'it'\\''s # 1'\n"


@pytest.mark.parametrize(
    ("said", "version", "reads"),
    [
        ("llamafile v0.8", "llamafile 0.8", Dialect.LINES),
        ("llamafile v0.8.13", "llamafile 0.8.13", Dialect.LINES),
        ("llamafile v0.9.3", "llamafile 0.9.3", Dialect.WORDS),
        ("llamafile v0.10.1-dev", "llamafile 0.10.1-dev", Dialect.WORDS),
        ("llamafiler v0.8.9", "llamafiler 0.8.9", Dialect.LINES),
        ("llamafile-server v0.3.1", "llamafile-server 0.3.1", Dialect.LINES),
        ("whisperfile v0.10.0", "whisperfile 0.10.0", Dialect.WORDS),
        ("myllamafile v0.9.3", None, Dialect.LINES),
        ("llamafile version 0.9", None, Dialect.LINES),
    ],
)
def test_versions(said: str, version: str | None, reads: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "program"
    # Over the border of what is read at once.
    path.write_bytes(b"\0" * ((1 << 20) - 5) + said.encode() + b"\0")
    with path.open("rb") as program:
        assert program_version(program, [], path.stat().st_size) == version
        assert program_version(program, [], 100) is None
    assert dialect(version) is reads
    assert dialect("llamafile 0.10.1-dev") is Dialect.WORDS


def program(tmp_path: Path, version: str, members: dict[str, bytes]) -> Path:
    path = write_foreign(tmp_path / f"their-{version}", members)
    said = f"llamafile v{version}\n".encode()
    path.write_bytes(path.read_bytes().replace(b"# a shell script\n", said, 1))
    return path


def args(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(".args")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.8.6", b"-m\ntiny.gguf\n-p\ntwo words\n...\n"),
        ("0.9.3", b"-m\ntiny.gguf\n-p\n'two words'\n...\n"),
    ],
)
def test_pack_and_edit_write_its_form(
    version: str, text: bytes, gguf: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    theirs, path = program(tmp_path, version, {}), tmp_path / "new.llamafile"
    words = ["pack", gguf, "--runtime", theirs, "-o", path, "-q", "--args", "-p 'two words'"]
    done = llamapack(*words)
    assert done.returncode == 0, done.stderr
    assert args(path) == text
    facts = json.loads(llamapack("inspect", path, "--json").stdout)
    assert facts["runtime"]["version"] == f"llamafile {version}"
    assert facts["args"]["words"] == ["-m", "tiny.gguf", "-p", "two words", "..."]
    assert llamapack("edit", path, "--args", "-p 'three more words'").returncode == 0
    assert args(path) == text.replace(b"two words", b"three more words")
    (tmp_path / "note").write_text("unchanged arguments stay byte for byte")
    assert llamapack("edit", path, "--add", tmp_path / "note").returncode == 0
    assert args(path) == text.replace(b"two words", b"three more words")


def test_variables_need_a_program_that_knows_them(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    words = ["-o", tmp_path / "new", "-q", "--args", "--api-key $KEY"]
    theirs = program(tmp_path, "0.8.6", {})
    done = llamapack("pack", gguf, "--runtime", theirs, *words)
    assert "the argument '$KEY' cannot be in the `.args`" in refused(done)
    theirs = program(tmp_path, "0.9.3", {})
    assert llamapack("pack", gguf, "--runtime", theirs, *words).returncode == 0
    assert args(tmp_path / "new") == b"-m\ntiny.gguf\n--api-key\n${KEY}\n...\n"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.8.6", b"-m\nweights.gguf\n-p\n'it'\\''s here'\n...\n"),
        ("0.9.3", b"-m\nweights.gguf\n-p\nit\\'s\\ here\n...\n"),
    ],
)
def test_upgrade_keeps_what_it_says(
    version: str, text: bytes, tmp_path: Path, llamapack: CommandLine
) -> None:
    said = {"0.8.6": b"it's here", "0.9.3": b"it\\'s\\ here"}[version]
    members = {
        "weights.gguf": write_gguf(tmp_path / "w.gguf").read_bytes(),
        ".args": b"-m\nweights.gguf\n-p\n" + said + b"\n...\n",
    }
    path = program(tmp_path, version, members)
    done = llamapack("upgrade", path)
    assert done.returncode == 0, done.stderr
    assert args(path) == text
    assert parse(text.decode(), {})[3] == "it's here"
