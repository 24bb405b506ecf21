"""`llamapack edit` from outside: the file is what `pack` would have made of the new wishes."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from edit_files import contents, grow, packed, ran, same_file
from helpers.foreign import ARGS, write_foreign
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.edit.apply import apply
from packer.edit.edits import Edits, edited
from packer.edit.opened import opened
from runtime.errors import InputError
from runtime.formats.args_file import parse
from runtime.formats.bundle import Bundle

_CASES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "arguments": ([], ["--args", "-c 4096"], ["--args", "-c 4096"]),
    "no arguments": (["--args", "-c 4096"], ["--args", ""], []),
    "a template": ([], ["--chat-template", "chatml"], ["--chat-template", "chatml"]),
    "no template": (
        ["--chat-template", "chatml", "--args", "--temp 0"],
        ["--chat-template", "none"],
        ["--args", "--temp 0"],
    ),
    "a name": (
        ["--chat-template", "chatml"],
        ["--name", "\u00c4 name"],
        ["--chat-template", "chatml", "--name", "\u00c4 name"],
    ),
}


@pytest.fixture
def path(tmp_path: Path, large: Path, llamapack: CommandLine) -> Path:
    return packed(llamapack, tmp_path / "b.llamafile", large, "--args", "-c 512")


@pytest.mark.parametrize(
    ("case", "extra"), [*((case, ()) for case in _CASES), ("a template", ("--copy",))]
)
def test_an_edit_gives_what_pack_gives(
    case: str, extra: tuple[str, ...], large: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    before, change, after = _CASES[case]
    path = packed(llamapack, tmp_path / "large.llamafile", large, *before)
    inode = path.stat().st_ino
    ran(llamapack, "edit", path, *change, *extra)
    fresh = packed(llamapack, tmp_path / "fresh.llamafile", large, "--name", "large", *after)
    assert same_file(path, fresh)
    assert (path.stat().st_ino == inode) is not bool(extra)
    ran(llamapack, "verify", path)


def test_added_weights_and_files(
    path: Path, large: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Models, projectors and adapters are aligned and named in `.args`; removing them goes back."""
    old = path.read_bytes()
    other = write_gguf(tmp_path / "other.gguf", name="Other", seed=2)
    eyes = write_gguf(tmp_path / "eyes.gguf", kind="mmproj")
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    text = tmp_path / "NOTICE"
    text.write_text("hello" * 1000)
    inode = path.stat().st_ino
    ran(llamapack, "edit", path, "--add", other, eyes, lora, "--add", text)
    assert path.stat().st_ino == inode
    ran(llamapack, "verify", path)
    with Bundle.open(path) as bundle:
        assert [m.name for m in bundle.weights] == [p.name for p in (large, other, eyes, lora)]
        assert all(bundle.data_offset(member) % 65536 == 0 for member in bundle.weights)
        assert parse(bundle.args, {}) == [
            "-m", "large.gguf", "--mmproj", "eyes.gguf", "--lora", "lora.gguf", "-c", "512",
        ]  # fmt: skip
        assert bundle.manifest is not None
        assert [model["name"] for model in bundle.manifest["models"]] == ["Tiny", "Other"]
        assert bundle.read("NOTICE") == text.read_bytes()
    text.write_text("changed")
    assert "has a member NOTICE already" in refused(llamapack("edit", path, "--add", text))
    ran(llamapack, "edit", path, "--add", text, "--force")
    with Bundle.open(path) as bundle:
        assert bundle.read("NOTICE") == b"changed"
    ran(
        llamapack,
        "edit",
        path,
        "--remove",
        "NOTICE",
        other.name,
        "--remove",
        "eyes.gguf",
        lora.name,
    )
    assert path.read_bytes() == old


def test_a_first_model_can_be_replaced(path: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    other = grow(write_gguf(tmp_path / "other.gguf", name="Other", seed=2), 2 << 20)
    ran(llamapack, "edit", path, "--remove", "large.gguf", "--add", other)
    assert (
        path.read_bytes()
        == packed(
            llamapack, tmp_path / "x.llamafile", other, "--name", "large", "--args", "-c 512"
        ).read_bytes()
    )


def test_all_shards_go_together(tmp_path: Path, llamapack: CommandLine, path: Path) -> None:
    shards = [
        write_gguf(tmp_path / f"s-{n + 1:05}-of-00002.gguf", shard=(n, 2, 2), tensors=[f"t{n}"])
        for n in range(2)
    ]
    old = path.read_bytes()
    ran(llamapack, "edit", path, "--add", shards[0])
    assert {shard.name for shard in shards} < set(contents(path))
    ran(llamapack, "edit", path, "--remove", shards[1].name)
    assert path.read_bytes() == old


@pytest.mark.skipif(
    "LLAMAPACK_SLOW_TESTS" not in os.environ, reason="takes a minute: it hashes 4 GiB"
)
def test_holes_of_added_weights_beyond_four_gib(
    path: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    small = write_gguf(tmp_path / "z.gguf", seed=5)
    sparse = write_gguf(tmp_path / "y.gguf")
    os.truncate(sparse, (4 << 30) + 4321)
    ran(llamapack, "edit", path, "--add", sparse, small)
    assert path.stat().st_blocks * 512 < 20 << 20
    ran(llamapack, "edit", path, "--args", "-c 99")
    with Bundle.open(path) as bundle:
        first, second, third = bundle.weights
        assert (second.size, third.size) == ((4 << 30) + 4321, small.stat().st_size)
        assert bundle.data_offset(third) > 4 << 30
        assert b"".join(bundle.stream(third)) == small.read_bytes()
        assert parse(bundle.args, {}) == ["-m", first.name, "-c", "99"]
    subprocess.run(["unzip", "-qqt", path, "z.gguf", "large.gguf"], check=True)


def test_what_is_refused(
    path: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    old = path.read_bytes()
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"junk")
    args = tmp_path / ".args"
    args.write_text("x")
    newline = tmp_path / "a\nb.txt"
    newline.write_text("x")
    cases: dict[str, list[str | Path]] = {
        "nothing to change": [],
        "has no member nothing": ["--remove", "nothing"],
        "left without a model": ["--remove", "large.gguf"],
        "engines/linux-x86_64/SHA256SUMS belongs to every": [
            "--remove", "engines/linux-x86_64/SHA256SUMS",
        ],
        ".args belongs to every": ["--remove", ".args"],
        "cannot be added under this name": ["--add", args],
        "is not a GGUF": ["--add", junk],
        "cannot be added to itself": ["--add", path],
        "never closed": ["--args", "'-c"],
        "no chat template": ["--chat-template", "no-such"],
        "does not exist": ["--add", tmp_path / "absent"],
        "engines/linux-x86_64/libggml-base.so belongs to every": ["--remove", "engines"],
        "has no member /": ["--remove", "/"],
        "'../x' cannot be the name": ["--name", "../x"],
        "'' cannot be the name": ["--name", ""],
        "'a\\nb' cannot be the name": ["--name", "a\nb"],
        "'a\\nb.txt' cannot be the name": ["--add", newline],
    }  # fmt: skip
    for message, words in cases.items():
        assert message in refused(llamapack("edit", path, *words)), message
    assert path.read_bytes() == old
    assert "not a bundle" in refused(llamapack("edit", gguf, "--args", "x"))
    assert "not a regular file" in refused(llamapack("edit", tmp_path, "--args", "x"))
    part = tmp_path / "m.llamafile.cat0"
    part.write_bytes(old[: len(old) // 2])
    for words in (["edit", part, "--args", "x"], ["upgrade", part]):
        done = llamapack(*words)
        assert "is part 1 of m.llamafile" in refused(done)
        assert f"llamapack join {part}" in done.stderr
    assert llamapack("edit", path, "--args", "x", "--args-file", args).returncode == 2


@pytest.mark.parametrize("how", [[], ["--copy"]], ids=["in place", "copy"])
def test_an_archive_with_nothing_in_it(
    how: list[str], tmp_path: Path, llamapack: CommandLine
) -> None:
    path, added = tmp_path / "x.zip", tmp_path / "a.txt"
    zipfile.ZipFile(path, "w").close()
    added.write_text("a")
    llamapack.ran("edit", path, "--add", added, *how)
    assert zipfile.ZipFile(path).read("a.txt") == b"a"


@pytest.mark.parametrize("how", [[], ["--copy"]], ids=["in place", "copy"])
def test_owner_and_mode_stay(how: list[str], path: Path, llamapack: CommandLine) -> None:
    path.chmod(0o751)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    facts = path.stat()
    ran(llamapack, "edit", path, "--args", "-c 2", *how)
    now = path.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (facts.st_uid, facts.st_gid, facts.st_mode)
    assert now.st_mtime_ns > facts.st_mtime_ns
    with Bundle.open(path) as bundle:
        assert bundle.args.endswith("-c 2\n")


@pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED LOUDLY: only Linux tells")
def test_a_file_in_use_is_not_changed_in_place(
    path: Path, large: Path, llamapack: CommandLine, refused: Refused
) -> None:
    old = path.read_bytes()
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    done = llamapack.process("edit", path, "--args", "-c 1")
    assert f"is in use by {Path('/proc/self/comm').read_text().strip()}" in refused(done)
    assert str(os.getpid()) in done.stderr
    assert "--copy" in done.stderr
    assert path.read_bytes() == old
    ran(llamapack, "edit", path, "--args", "-c 1", "--copy")
    assert view[:] == old
    view.close()
    ran(llamapack, "edit", path, "--args", "-c 2")


@pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED LOUDLY: only Linux tells")
def test_a_file_that_is_opened_while_its_members_are_hashed(path: Path) -> None:
    """Whoever opens it waits, but not for ever: the kernel ends that after 45 seconds."""
    old = path.read_bytes()
    reader = [sys.executable, "-c", f"file = open({str(path)!r}, 'rb'); input()"]
    with opened(path, alone=True) as file:
        edition = edited(file.bundle, Edits(args="-c 3"))
        with subprocess.Popen(reader, stdin=subprocess.PIPE) as process:
            stat = Path(f"/proc/{process.pid}/wchan")
            deadline = time.monotonic() + 20
            while "break_lease" not in stat.read_text() and time.monotonic() < deadline:
                time.sleep(0.05)
            with pytest.raises(InputError, match="is in use"):
                apply(file, edition, copy=False)
            process.kill()
    assert path.read_bytes() == old


def test_two_at_once(path: Path, llamapack: CommandLine, refused: Refused) -> None:
    """The second one is told; a pipe that nobody feeds keeps the first one busy."""
    import fcntl

    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another llamapack is changing" in refused(llamapack("edit", path, "--args", "x"))


def test_members_that_other_tools_appended(
    path: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    """They stay, and come into the manifest."""
    extra, args = tmp_path / "extra.txt", tmp_path / ".args"
    extra.write_text("by zip")
    args.write_text("-m large.gguf --temp 9")
    subprocess.run(["zip", "-qj", path, extra, args], check=True)
    ran(llamapack, "edit", path, "--chat-template", "chatml")
    ran(llamapack, "verify", path)
    with Bundle.open(path) as bundle:
        assert bundle.read("extra.txt") == b"by zip"
        assert parse(bundle.args, {}) == [
            "-m", "large.gguf", "--chat-template-file", "/zip/chat_template.jinja", "--temp", "9",
        ]  # fmt: skip


def test_folders_are_removed(path: Path, llamapack: CommandLine) -> None:
    """With all that is below them."""
    names = {"notes/a.txt", "notes/deep/b.txt", "notes.txt", "models/other.gguf"}
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            archive.writestr(name, name)
    ran(llamapack, "edit", path, "--remove", "notes", "models/")
    ran(llamapack, "verify", path)
    assert names & contents(path).keys() == {"notes.txt"}


def test_a_llamafile_of_others(
    tmp_path: Path, large: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Its arguments and members can be changed; it stays without manifest."""
    members = {"weights.gguf": large.read_bytes(), "eyes.gguf": b"GGUF", ".args": ARGS}
    path = write_foreign(tmp_path / "x.llamafile", members)
    before = contents(path)
    notes = tmp_path / "notes.txt"
    notes.write_text("read me")
    ran(llamapack, "edit", path, "--args", "--temp 1", "--add", notes)
    after = contents(path)
    assert set(after) == {*before, "notes.txt"}
    assert {name for name in before if before[name] != after[name]} == {".args"}
    with zipfile.ZipFile(path) as archive:
        assert archive.read(".args") == b"-m\nweights.gguf\n--mmproj\neyes.gguf\n--temp\n1\n...\n"
    assert "llamapack upgrade" in llamapack("edit", path, "--name", "x").stderr
    assert "was not made by llamapack" in refused(llamapack("edit", path, "--name", "x"))


def test_a_bundle_without_weights(path: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    """As `NAME.exe` beside a large bundle: what its arguments name lies outside."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if "gguf" not in name}
    manifest = json.loads(members["llamapack.json"])
    manifest["models"] = []
    del manifest["members"]["large.gguf"]
    members["llamapack.json"] = json.dumps(manifest).encode()
    exe = tmp_path / "b.exe"
    exe.write_bytes(path.read_bytes()[:131072])
    with zipfile.ZipFile(exe, "a") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    ran(llamapack, "edit", exe, "--args", "-c 7")
    with Bundle.open(exe) as bundle:
        assert parse(bundle.args, {}) == ["-m", "large.gguf", "-c", "7"]
    ran(llamapack, "verify", exe)
    assert "b.exe in the same folder" in ran(llamapack, "edit", path, "--args", "-c 8")
