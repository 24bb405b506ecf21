"""One fat program out of a folder of sources, from the command line to a file that answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cosmo_place import Place
from helpers.stand_ins import write_gguf

from packer.ape.anatomy import take_apart


def bash(path: Path, *words: str, home: Path) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", '"$0" "$@"', path, *words],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    return done.stdout.splitlines()


def test_a_bundle_of_it_runs_and_lists_its_members(
    done_place: tuple[Place, Path], tmp_path: Path
) -> None:
    place, program = done_place
    gguf = write_gguf(tmp_path / "tiny.gguf")
    output = tmp_path / "out.llamafile"
    words = ["-o", output, "-q", "--args", "-c 512 -p 'two words'"]
    done = place("pack", gguf, "--runtime", "cosmo", *words)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(program.read_bytes())

    printed = bash(output, "--their-own", home=tmp_path)
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("licenses/runtime/LICENSE") == b"All rights given.\n"
    assert names == ["licenses/runtime/LICENSE", "tiny.gguf", ".args"]
    said = ["-m", "/zip/tiny.gguf", "-c", "512", "-p", "two words", "--their-own"]
    assert printed[: len(said)] == [f"word {word}" for word in said]
    listed = [line.split() for line in printed[len(said) :]]
    assert [name for _, name, _ in listed] == names
    [offset] = [int(offset) for _, name, offset in listed if name == "tiny.gguf"]
    assert offset % 65536 == 0
    assert output.read_bytes()[offset:][: gguf.stat().st_size] == gguf.read_bytes()


def test_the_program_is_for_both_architectures(done_place: tuple[Place, Path]) -> None:
    _, program = done_place
    anatomy = take_apart(program)
    assert anatomy.kind.is_ape
    assert sorted(one.machine for one in anatomy.programs) == [62, 183]
    assert program.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(not shutil.which("qemu-aarch64-static"), reason="there is no qemu-aarch64")
def test_the_half_for_aarch64_reads_its_args_too(
    done_place: tuple[Place, Path], tmp_path: Path
) -> None:
    place, _ = done_place
    packed, native = tmp_path / "packed", tmp_path / "native"
    gguf = write_gguf(tmp_path / "tiny.gguf")
    assert place("pack", gguf, "--runtime", "cosmo", "-o", packed, "-q").returncode == 0
    done = place("assimilate", packed, "--target", "linux-aarch64", "-o", native)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        ["qemu-aarch64-static", native], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[:2]) == (
        7,
        ["word -m", "word /zip/tiny.gguf"],
    )


def test_the_tools_are_called_in_this_order(done_place: tuple[Place, Path]) -> None:
    place, _ = done_place
    work = place.cache / "build" / "cosmo"
    tools = place.cosmocc.bin
    steps = []
    for call in place.cosmocc.calls:
        name, *words = call.split(" ")
        arch = name.partition("-")[0]
        if name.endswith("-ar"):
            assert words[:2] == ["rcsD", "libllamapack-bundle.a"]
            steps.append(f"{arch} ar")
        elif name.endswith("-cc") and "bin/small" in words:
            assert "--wrap=main" in call
            steps.append(f"{arch} link")
        elif name.endswith("-cc") and "zip_args.c" in words[-1]:
            steps.append(f"{arch} compile")
        elif name in ("apelink", "assimilate", "zipalign"):
            steps.append(call)
    # The build folder is gone by now, and its name has a space.
    assert [re.sub(r"^(\w+) (compile|ar)$", r"\1 objects", step) for step in steps] == [
        "x86_64 objects",
        "x86_64 objects",
        "x86_64 link",
        "aarch64 objects",
        "aarch64 objects",
        "aarch64 link",
        f"apelink -l {tools}/ape-x86_64.elf -l {tools}/ape-aarch64.elf -M {tools}/ape-m1.c "
        f"-o {work}/llamapack-runtime {work}/x86_64/runtime {work}/aarch64/runtime",
        f"zipalign -6 -a 1 {work}/llamapack-runtime licenses/runtime/LICENSE",
        f"assimilate -e -x {work}/x86_64.elf",
        f"assimilate -e -a {work}/aarch64.elf",
    ]
    log = (place.cache / "logs" / "cosmo.log").read_text()
    assert all(f"{tools}/{name} " in log for name in ("apelink", "zipalign", "assimilate"))
    assert not work.exists()


def test_it_is_listed_and_found(done_place: tuple[Place, Path]) -> None:
    place, program = done_place
    rows = json.loads(place("engine", "list", "--json").stdout)
    [row] = [row for row in rows if row["target"] == "cosmo"]
    assert row["built_with"]["cosmocc"] == "14.1.0"
    assert row["built_with"]["apelink"] == "0.1"
    assert (row["state"], row["source"]) == ("built", str(place.source))
    assert (row["path"], row["size"]) == (str(program), program.stat().st_size)
    assert f"of {place.source}\n" in place("engine", "list").stdout
    assert place("engine", "path", "cosmo").stdout == f"{program}\n"
    sums = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    subprocess.run(sums, cwd=program.parent, check=True, capture_output=True)


def test_the_second_build_comes_from_the_cache(done_place: tuple[Place, Path]) -> None:
    place, program = done_place
    before, calls = program.stat().st_mtime_ns, len(place.cosmocc.calls)
    assert place.built() == program
    assert place.built("--cosmocc", place.cosmocc.folder, COSMOCC="/nowhere") == program
    assert len(place.cosmocc.calls) == calls
    assert program.stat().st_mtime_ns == before


def test_two_folders_give_the_same_bytes(done_place: tuple[Place, Path], place: Place) -> None:
    _, program = done_place
    again = place.built(COSMOCC=str(place.cosmocc.folder), TZ="Asia/Tokyo", CFLAGS="-DLOUD")
    assert again.read_bytes() == program.read_bytes()


def test_pack_takes_only_what_is_one(
    done_place: tuple[Place, Path], gguf: Path, tmp_path: Path
) -> None:
    place, _ = done_place
    other = Place(place.cosmocc, place.source, tmp_path / "other-cache")
    shutil.copytree(place.cache / "engines", other.cache / "engines")
    words = ["pack", gguf, "--runtime", "cosmo", "-q", "-o"]
    [engine] = (other.cache / "engines").iterdir()

    facts = json.loads((engine / "runtime.json").read_text())
    second = shutil.copytree(engine, engine.with_name("cosmo-0123456789abcdef"))
    (second / "runtime.json").write_text(json.dumps({**facts, "source": "/another"}))
    done = other(*words, tmp_path / "a")
    assert done.returncode == 1
    assert "2 runtimes are built" in done.stderr
    assert f"{second}/llamapack-runtime (/another)" in done.stderr
    assert other(*words, tmp_path / "a", "--runtime", second / "llamapack-runtime").returncode == 0

    (second / "runtime.json").write_text(json.dumps({**facts, "ours": "of another day"}))
    assert other(*words, tmp_path / "b").returncode == 0
    assert other("engine", "clean").returncode == 0
    assert [path.name for path in (other.cache / "engines").iterdir()] == [engine.name]

    with (engine / "llamapack-runtime").open("ab") as file:
        file.write(b"x")
    done = other(*words, tmp_path / "c")
    assert "llamapack-runtime differs from the built program" in done.stderr
    shutil.rmtree(engine)
    done = other(*words, tmp_path / "c")
    assert "TIP Run `llamapack engine build --toolchain cosmo --source DIR`." in done.stderr


def test_a_recipe_may_ask_for_it(
    done_place: tuple[Place, Path], gguf: Path, tmp_path: Path
) -> None:
    place, program = done_place
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'weights = ["{gguf}"]\nruntime = "cosmo"\n')
    words = ["pack", "--recipe", recipe, "-o", tmp_path / "out", "-q"]
    done = place(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_bytes().startswith(program.read_bytes())

    for word in ("./cosmo", tmp_path / "cosmo"):
        done = place(*words, "--force", "--runtime", word)
        assert f"{Path(word).name} is not a file" in done.stderr, done.stderr
