"""`llamapack upgrade`: a bundle is what `pack` makes with the new engines; llamafiles of others get
our runtime, and keep all that is theirs."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from edit_files import NewEngine, contents, grow, incompressible, packed, ran, same_file
from helpers.foreign import ARGS, RUNTIME, write_foreign
from helpers.stand_ins import CommandLine, Refused, write_gguf

from runtime.formats.args_file import parse
from runtime.formats.bundle import Bundle

WORDS = ["--chat-template", "chatml", "--args", "-c 4096"]


@pytest.mark.parametrize(
    ("size", "extra"), [(50_000, ()), (60_000, ()), (900_000, ()), (0, ()), (900_000, ("--copy",))]
)
def test_an_upgrade_gives_what_pack_gives(  # noqa: PLR0917
    size: int, extra: tuple[str, ...], large: Path, tmp_path: Path, llamapack: CommandLine,
    new_engine: NewEngine,
) -> None:  # fmt: skip
    """From engines of 200 kB to others that are larger or smaller, or nearly the same."""
    new_engine(200_000 if size == 0 else 55_000)
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    path = packed(llamapack, tmp_path / "large.llamafile", large, other, *WORDS)
    inode = path.stat().st_ino
    new_engine(size)
    ran(llamapack, "upgrade", path, *extra)
    fresh = packed(llamapack, tmp_path / "fresh.llamafile", large, other, *WORDS, "--name", "large")
    assert same_file(path, fresh)
    assert (path.stat().st_ino == inode) is not bool(extra)
    ran(llamapack, "verify", path)
    assert "already" in ran(llamapack, "upgrade", path, "--engines", "linux-x86_64")


@pytest.fixture
def theirs(tmp_path: Path) -> dict[str, bytes]:
    weights = grow(write_gguf(tmp_path / "w.gguf"), 2 << 20)
    eyes = write_gguf(tmp_path / "e.gguf", kind="mmproj")
    return {
        "LICENSE": b"do what you like\n" * 20,
        "weights.gguf": weights.read_bytes(),
        "eyes.gguf": eyes.read_bytes(),
        "notes/read me.txt": b"hello",
        ".args": ARGS,
    }


@pytest.mark.parametrize(
    ("engine", "alignment"),
    [
        (20_000, 65536),
        (700_000, 65536),
        (700_000, 4096),
        (20_000, 16384),
        (20_000, 32),
        (20_000, 1),
    ],
)
def test_all_but_the_runtime_is_kept(  # noqa: PLR0917
    engine: int, alignment: int, theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine,
    new_engine: NewEngine,
) -> None:  # fmt: skip
    new_engine(engine)
    path = write_foreign(tmp_path / "their.llamafile", theirs, alignment=alignment)
    said = ran(llamapack, "upgrade", path)
    assert ("now begin on multiples" in said) is (alignment < 65536)
    found = contents(path)
    assert {name: found[name] for name in theirs} == {
        name: hashlib.sha256(data).hexdigest() for name, data in theirs.items()
    }
    assert not set(found) & set(RUNTIME)
    ran(llamapack, "verify", path)
    subprocess.run(["unzip", "-qqt", path], check=True)
    subprocess.run(["7z", "t", path], check=True, stdout=subprocess.DEVNULL)
    assert path.stat().st_mode & 0o777 == 0o755
    with Bundle.open(path) as bundle:
        assert all(bundle.data_offset(member) % 65536 == 0 for member in bundle.weights)
        assert [engine.target for engine in bundle.engines] == ["linux-x86_64"]
        assert bundle.front(9) == b"jartsr='\n"
        assert bundle.manifest is not None
        assert [model["file"] for model in bundle.manifest["models"]] == ["weights.gguf"]
        assert bundle.manifest["name"] == "their"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("LICENSE")
        assert info.date_time == (2024, 5, 6, 7, 8, 10)
        assert info.external_attr >> 16 == 0o100640
    # Now it is a bundle like any other.
    ran(llamapack, "edit", path, "--args", "--temp 0")
    with Bundle.open(path) as bundle:
        # A context size is kept, as if `--ctx-size` had been given when the file was packed.
        assert parse(bundle.args, {}) == [
            "-m", "weights.gguf", "--mmproj", "eyes.gguf", "-c", "0", "--temp", "0",
        ]  # fmt: skip
    ran(llamapack, "verify", path)


def test_without_args_the_model_is_named(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine
) -> None:
    del theirs[".args"]
    path = write_foreign(tmp_path / "x.llamafile", theirs)
    ran(llamapack, "upgrade", path)
    with Bundle.open(path) as bundle:
        assert bundle.args == "-m\nweights.gguf\n"


def test_arguments_that_only_the_new_engine_would_obey(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    theirs[".args"] = b"-m\nweights.gguf\n--host\n0.0.0.0\n--tools\nall\n"
    path = write_foreign(tmp_path / "x.llamafile", theirs)
    before = path.read_bytes()
    said = refused(llamapack("upgrade", path))
    assert "its arguments have --host, --tools" in said
    assert path.read_bytes() == before
    done = llamapack.ran("upgrade", path, "--trust-args")
    assert "its start obeys --host, --tools, which are not about the model" in done.stderr
    with Bundle.open(path) as bundle:
        assert parse(bundle.args, {})[2:] == ["--host", "0.0.0.0", "--tools", "all"]
    assert "# not about the model: --host" in llamapack("inspect", path, "--recipe").stdout


def test_damaged_weights_are_not_signed(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    for alignment in (65536, 1):
        path = write_foreign(tmp_path / f"{alignment}.llamafile", theirs, alignment=alignment)
        data = bytearray(path.read_bytes())
        data[-(1 << 20)] ^= 1
        path.write_bytes(data)
        done = llamapack("upgrade", path)
        assert "CRC-32 of member weights.gguf differs" in refused(done)
        assert path.read_bytes() == data


@pytest.mark.parametrize("words", [["upgrade"], ["edit", "--args", "-c 9"]])
def test_a_file_that_is_being_changed_is_opened_once(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine, words: list[str]
) -> None:
    """Whoever opens it again waits for its lease: 45 seconds, also the command itself."""
    path = write_foreign(tmp_path / "theirs.llamafile", theirs)
    started = time.monotonic()
    llamapack.ran(words[0], path, *words[1:])
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("words", [["zip", "-q"], ["zip", "-q0"]])
def test_weights_that_another_tool_touched(
    bundle: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine, words: list[str]
) -> None:
    """Compressed, or stored where no engine can map them: `verify` names a way out that works."""
    changed = tmp_path / "changed.llamafile"
    shutil.copyfile(bundle, changed)
    subprocess.run([*words, changed, gguf.name], cwd=gguf.parent, check=True)
    started = time.monotonic()
    said = llamapack("verify", changed)
    if said.returncode:  # else zip happened to put it on a multiple of 32
        assert f"TIP Run `llamapack upgrade {changed}`." in said.stderr
    llamapack.ran("upgrade", changed)
    llamapack.ran("verify", changed)
    assert time.monotonic() - started < 30
    with Bundle.open(changed) as after:
        (member,) = after.weights
        assert (member.method, after.data_offset(member) % 65536) == (zipfile.ZIP_STORED, 0)
        assert b"".join(after.stream(member)) == gguf.read_bytes()


def test_what_cannot_be_upgraded(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    path = write_foreign(tmp_path / "none.llamafile", {"LICENSE": b"text"})
    assert "does not contain a model" in refused(llamapack("upgrade", path))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.gguf", theirs["weights.gguf"])
    before = path.read_bytes()
    said = llamapack("upgrade", path)
    assert "is compressed" in refused(said)
    (tip,) = re.findall(r"`llamapack (pack .*)`", said.stderr)
    llamapack.ran(*tip.split(), "-o", tmp_path / "packed.llamafile")
    secret = tmp_path / "secret.txt"
    secret.write_bytes(incompressible(1000))
    path = write_foreign(tmp_path / "locked.llamafile", theirs)
    subprocess.run(["zip", "-qjP", "password", path, secret], check=True)
    assert "encrypted" in refused(llamapack("upgrade", path))
    for command in (["upgrade", tmp_path], ["edit", tmp_path / "absent", "--args", ""]):
        assert refused(llamapack(*command))
    assert (tmp_path / "none.llamafile").read_bytes() == before


def test_edit_keeps_encrypted_and_streamed_members(
    theirs: dict[str, bytes], tmp_path: Path, llamapack: CommandLine
) -> None:
    """Byte for byte: `zip` writes data descriptors behind encrypted and piped members."""
    path = write_foreign(tmp_path / "locked.llamafile", theirs)
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"secret " * 100)
    subprocess.run(["zip", "-qjP", "password", path, secret], check=True)
    with subprocess.Popen(["zip", "-qfd", path, "-"], stdin=subprocess.PIPE) as process:
        process.communicate(b"piped " * 300)
    assert process.returncode == 0
    with Bundle.open(path) as bundle:
        flags = [member.flags & 9 for member in bundle.members.values()]
    assert {8, 9} <= set(flags), "neither tool wrote a descriptor"
    before = contents_with(path, b"password")
    for extra in ([], ["--copy"]):
        ran(llamapack, "edit", path, "--args", "-m weights.gguf -c 9", *extra)
        after = contents_with(path, b"password")
        assert after.pop(".args") != before.get(".args")
        assert after == {name: data for name, data in before.items() if name != ".args"}
        subprocess.run(["unzip", "-qqtP", "password", path], check=True)


def contents_with(path: Path, password: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name, password) for name in archive.namelist()}
