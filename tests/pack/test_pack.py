"""`llamapack pack` from outside: what the file holds, and that it is the same file every time."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from helpers.lanes import slow
from helpers.stand_ins import ENGINE_FILES, CommandLine, Refused, write_gguf

from packer.engines import native, pins
from packer.weights.selection import lora_option
from runtime.formats.args_file import parse
from runtime.formats.bundle import Bundle
from runtime.formats.gguf_header import read_header_of


def packed(llamapack: CommandLine, *words: str | Path, cwd: Path | None = None) -> Path:
    done = llamapack.ran("pack", *words, cwd=cwd)
    return Path(done.stdout.strip())


def test_members_in_the_order_of_the_format(bundle: Path, gguf: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == [
            *(f"engines/linux-x86_64/{name}" for name in sorted(ENGINE_FILES)),
            "engines/linux-x86_64/SHA256SUMS",
            "web-ui/_app/page.js",
            "web-ui/index.html",
            "tls/roots.pem",
            "tiny.gguf",
            ".args",
            "llamapack.json",
        ]
        assert archive.read("tiny.gguf") == gguf.read_bytes()
        for name, data in ENGINE_FILES.items():
            info = archive.getinfo(f"engines/linux-x86_64/{name}")
            assert archive.read(info) == data
            assert info.compress_type == zipfile.ZIP_DEFLATED
            assert info.external_attr >> 16 == (0o100755 if "engine" in name else 0o100644)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read("web-ui/index.html") == b"<html>" * 100
        assert archive.getinfo("web-ui/index.html").compress_type == zipfile.ZIP_DEFLATED
        for name in ("tiny.gguf", ".args", "engines/linux-x86_64/SHA256SUMS"):
            assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
    head = bundle.read_bytes()[: 2 << 16]
    assert head.startswith(b"jartsr='\n'\n")
    assert head[65536:].startswith(b"stub")


@pytest.mark.parametrize("tool", [["unzip", "-qqt"], ["7z", "t"], ["bsdtar", "-tf"]])
def test_tools_accept_it(bundle: Path, tool: list[str]) -> None:
    done = subprocess.run([*tool, bundle], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_weights_are_aligned(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        assert [opened.data_offset(member) % 65536 for member in opened.weights] == [0]


def test_manifest(bundle: Path, gguf: Path, llamapack: CommandLine) -> None:
    with zipfile.ZipFile(bundle) as archive:
        text = archive.read("llamapack.json").decode()
        names = set(archive.namelist())
    manifest = json.loads(text)
    assert text == json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    assert set(manifest["members"]) == names - {"llamapack.json"}
    engine_id = json.loads((llamapack.engine / "engine.json").read_text())["id"]
    assert manifest["engines"] == {
        "linux-x86_64": {
            "files": 3,
            "id": engine_id,
            "llama.cpp": pins.load(native.directory()).release,
            "size": sum(map(len, ENGINE_FILES.values())),
        }
    }
    assert (manifest["format"], manifest["name"]) == (1, "tiny")
    assert manifest["models"] == [
        {
            "architecture": "llama",
            "chat_template": "gguf",
            "context_length": 2048,
            "file": "tiny.gguf",
            "license": "apache-2.0",
            "name": "Tiny",
            "parameters": 1024,
            "quantization": "Q8_0",
            "size": gguf.stat().st_size,
        }
    ]


def test_is_executable_less_the_umask(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    previous = os.umask(0o027)
    try:
        path = packed(llamapack, gguf, "-o", tmp_path / "x.llamafile")
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o750


def test_same_inputs_give_the_same_bytes(
    tmp_path: Path, gguf: Path, llamapack: CommandLine
) -> None:
    """Another directory, time zone, umask, age of the inputs, and a deflate cache that is cold."""
    first, second = tmp_path / "first.llamafile", tmp_path / "there" / "second.llamafile"
    second.parent.mkdir()
    args = ["--args", "-c 512", "--chat-template", "chatml"]
    llamapack.ran("pack", gguf, "-o", first, *args, TZ="UTC", LC_ALL="C")
    for path in (gguf, *llamapack.engine.iterdir()):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    previous = os.umask(0o077)
    try:
        done = llamapack(
            "pack", f"../{gguf.name}", "-o", "second.llamafile", *args,
            cwd=second.parent, TZ="Asia/Kathmandu", LC_ALL="C.UTF-8", PYTHONHASHSEED="7",
            LLAMAPACK_BUILD_CACHE=str(tmp_path / "other-cache"),
        )  # fmt: skip
    finally:
        os.umask(previous)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == second.read_bytes()
    llamapack.ran("pack", gguf, "-o", first, *args, "--force", SOURCE_DATE_EPOCH="1700000000")
    assert first.read_bytes() != second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {i.date_time for i in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_a_damaged_deflate_cache_is_made_again(
    tmp_path: Path, gguf: Path, llamapack: CommandLine
) -> None:
    first = packed(llamapack, gguf, "-o", tmp_path / "first.llamafile")
    (cached,) = Path(llamapack.environment["LLAMAPACK_BUILD_CACHE"]).glob("deflated/linux-*.zip")
    data = bytearray(cached.read_bytes())
    data[100] ^= 1
    cached.write_bytes(data)
    second = packed(llamapack, gguf, "-o", tmp_path / "second.llamafile")
    assert first.read_bytes() == second.read_bytes()


def test_name_and_place_without_o(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    done = llamapack("pack", gguf, cwd=folder)
    assert done.stdout == "tiny.llamafile\n"
    assert "./tiny.llamafile" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["tiny.llamafile"]


def test_quiet_prints_the_path_only(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    done = llamapack("pack", gguf, "-q", "-o", tmp_path / "x.llamafile")
    assert (done.stdout, done.stderr) == (f"{tmp_path / 'x.llamafile'}\n", "")


def test_everything_at_once(tmp_path: Path, llamapack: CommandLine) -> None:
    model = write_gguf(tmp_path / "it's a model.gguf", template=None)
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    projector = write_gguf(tmp_path / "eyes.gguf", kind="mmproj")
    path = packed(
        llamapack, model, other, "-o", tmp_path / "x.llamafile", "--name", "My model",
        "--lora", lora, "--mmproj", projector, "--chat-template", "chatml",
        "--args", "-c 4096 ... --temp 0",
    )  # fmt: skip
    with Bundle.open(path) as bundle:
        assert [m.name for m in bundle.weights] == [p.name for p in (model, other, projector, lora)]
        assert all(bundle.data_offset(m) % 65536 == 0 for m in bundle.weights)
        assert parse(bundle.args, {}) == [
            "-m", "it's a model.gguf", "--mmproj", "eyes.gguf", "--lora", "lora.gguf",
            "--chat-template-file", "/zip/chat_template.jinja", "-c", "4096", "...", "--temp", "0",
        ]  # fmt: skip
        assert b"<|im_start|>" in bundle.read("chat_template.jinja")
        assert bundle.manifest is not None
        assert bundle.manifest["name"] == "My model"
        assert [(m["file"], m["chat_template"]) for m in bundle.manifest["models"]] == [
            (model.name, "member"),
            (other.name, "member"),
        ]
    llamapack.ran("verify", path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_args_and_template_from_files(
    encoding: str, tmp_path: Path, gguf: Path, llamapack: CommandLine
) -> None:
    words, template = tmp_path / "words", tmp_path / "t.jinja"
    words.write_text("# sampling\n--temp 0.5\n", encoding)
    template.write_text("{{ bos_token }}é", encoding)
    path = packed(
        llamapack, gguf, "-o", tmp_path / "x.llamafile", "--args-file", words,
        "--chat-template", template,
    )  # fmt: skip
    with Bundle.open(path) as bundle:
        assert bundle.args.endswith("# sampling\n--temp 0.5\n")
        assert "\ufeff" not in bundle.args
        assert bundle.read("chat_template.jinja").decode() == "{{ bos_token }}é"


def shards(folder: Path, *, count: int = 3, tensors: int = 3) -> list[Path]:
    return [
        write_gguf(
            folder / f"big-{n + 1:05}-of-{count:05}.gguf",
            shard=(n, count, tensors),
            tensors=[f"t{n}"],
        )
        for n in range(count)
    ]


def test_all_shards_are_packed(tmp_path: Path, llamapack: CommandLine) -> None:
    files = shards(tmp_path)
    path = packed(llamapack, files[0], cwd=tmp_path)
    assert path.name == "big.llamafile"
    with Bundle.open(tmp_path / path) as bundle:
        assert [m.name for m in bundle.weights] == [file.name for file in files]
        assert parse(bundle.args, {}) == ["-m", files[0].name]
        assert bundle.manifest is not None
        (model,) = bundle.manifest["models"]
        assert model["parameters"] == 3 * 512
        assert model["size"] == sum(file.stat().st_size for file in files)
    again = packed(llamapack, *files, "-o", "all.llamafile", cwd=tmp_path)
    assert (tmp_path / again).read_bytes() == (tmp_path / path).read_bytes()


def test_shards_that_do_not_fit_are_refused(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    files = shards(tmp_path)
    assert "shard 2 of 3" in refused(llamapack("pack", files[1], cwd=tmp_path))
    renamed = files[0].with_name("first.gguf")
    renamed.write_bytes(files[0].read_bytes())
    assert "its name does not say so" in refused(llamapack("pack", renamed, cwd=tmp_path))
    files[1].write_bytes(files[2].read_bytes())
    assert "not shard 2 of 3" in refused(llamapack("pack", files[0], cwd=tmp_path))
    files[1].unlink()
    assert files[1].name in refused(llamapack("pack", files[0], cwd=tmp_path))
    folder = tmp_path / "few"
    folder.mkdir()
    (first, *_) = shards(folder, tensors=4)
    assert "3 tensors, not 4" in refused(llamapack("pack", first, cwd=tmp_path))


def test_a_blob_without_ending_gets_one(tmp_path: Path, llamapack: CommandLine) -> None:
    """Such as Ollama keeps them."""
    blob = write_gguf(tmp_path / "sha256-1234")
    path = packed(llamapack, blob, "-o", tmp_path / "x.llamafile")
    with Bundle.open(path) as bundle:
        assert [m.name for m in bundle.weights] == ["sha256-1234.gguf"]


def test_force_replaces(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    output = tmp_path / "x.llamafile"
    output.write_text("old")
    packed(llamapack, gguf, "-o", output, "--force")
    assert output.read_bytes().startswith(b"jartsr")


@slow
def test_weights_beyond_four_gib(tmp_path: Path, llamapack: CommandLine) -> None:
    """A first model of more than 4 GiB (of holes), and a small one after it."""
    large = write_gguf(tmp_path / "large.gguf", name="Large")
    size = (4 << 30) + 12345
    os.truncate(large, size)
    small = write_gguf(tmp_path / "small.gguf", name="Small")
    path = packed(llamapack, large, small, "-o", tmp_path / "x.llamafile")
    assert path.stat().st_blocks * 512 < 50 << 20
    with Bundle.open(path) as bundle:
        first, second = bundle.weights
        assert (first.size, second.size) == (size, small.stat().st_size)
        assert bundle.data_offset(second) > size
        assert bundle.data_offset(first) % 65536 == bundle.data_offset(second) % 65536 == 0
        assert bundle.header(second) == read_header_of(small)
    done = subprocess.run(["unzip", "-qqt", path, small.name], capture_output=True, check=False)
    assert done.returncode == 0
    done = llamapack("inspect", path, "--json")
    assert [m["name"] for m in json.loads(done.stdout)["models"]] == ["Large", "Small"]


@pytest.mark.parametrize(
    ("word", "file", "scale"),
    [
        ("a.gguf", "a.gguf", None),
        ("a.gguf:0.5", "a.gguf", "0.5"),
        ("a.gguf=-1.5e-3", "a.gguf", "-1.5e-3"),
        ("a:b.gguf=2", "a:b.gguf", "2"),
        ("a.gguf:", "a.gguf:", None),
        ("a.gguf:nan", "a.gguf:nan", None),
        ("hf:org/repo:Q8_0", "hf:org/repo:Q8_0", None),
        ("hf:org/repo/a.gguf@main:.5", "hf:org/repo/a.gguf@main", ".5"),
        ("weights.zip:a.gguf:1.", "weights.zip:a.gguf", "1."),
    ],
)
def test_words(word: str, file: str, scale: str | None) -> None:
    assert lora_option(word) == (file, scale)


def test_no_scale(gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    for end in (":much", ":", "=1,5"):
        done = llamapack("pack", gguf, "--lora", f"{gguf}{end}")
        assert f"{end[1:]!r} is not a scale of the adapter {gguf}" in refused(done)


def words(path: Path) -> list[str]:
    with Bundle.open(path) as bundle:
        return parse(bundle.args, {})


def test_loras(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    files = [write_gguf(tmp_path / f"{name}.gguf", kind="adapter") for name in ("one", "two")]
    odd = write_gguf(tmp_path / "odd.gguf=1", kind="adapter")
    output = tmp_path / "x.llamafile"
    llamapack.ran(
        "pack", gguf, "--lora", f"{files[0]}:0.25", "--lora", files[1], "--lora", odd, "-o", output
    )
    assert words(output) == [
        "-m", "tiny.gguf", "--lora-scaled", "one.gguf:0.25", "--lora", "two.gguf",
        "--lora", "odd.gguf=1.gguf",
    ]  # fmt: skip


def test_names_that_upstream_would_divide(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    comma = write_gguf(tmp_path / "a,b.gguf", kind="adapter")
    assert "cannot be the name of an adapter" in refused(llamapack("pack", gguf, "--lora", comma))
    colon = write_gguf(tmp_path / "a:b.gguf", kind="adapter")
    scaled = llamapack("pack", gguf, "--lora", f"{colon}=2", cwd=tmp_path)
    assert "cannot be the name of an adapter" in refused(scaled)


def test_draft(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    draft = write_gguf(tmp_path / "small.gguf", seed=3)
    output = tmp_path / "x.llamafile"
    llamapack.ran("pack", gguf, "--draft", draft, "-o", output)
    assert words(output) == ["-m", "tiny.gguf", "-md", "small.gguf", "--spec-type", "draft-simple"]
    with Bundle.open(output) as bundle:
        assert [member.name for member in bundle.weights] == ["tiny.gguf", "small.gguf"]
        assert bundle.manifest is not None
        assert [model["file"] for model in bundle.manifest["models"]] == ["tiny.gguf"]


def test_a_draft_that_says_its_kind(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    draft = write_gguf(tmp_path / "mtp.gguf", tensors=["blk.1.nextn.eh_proj.weight"])
    output = tmp_path / "x.llamafile"
    llamapack.ran("pack", gguf, "--draft", draft, "-o", output)
    assert words(output) == ["-m", "tiny.gguf", "-md", "mtp.gguf"]


def test_arguments_that_are_no_text(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (tmp_path / "words").write_bytes(b"-c 1\0")
    for own in (("--args", "a\udcff"), ("--args-file", tmp_path / "words")):
        assert "is not UTF-8 text" in refused(llamapack("pack", gguf, *own))
