"""Engines as wheels: built from the build cache, installed by pip, packed without a compiler."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import site
import sys
import time
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.real_models import SMOLLM2
from helpers.repository import REPOSITORY
from releases import run

from ci.release import engines, packages, wheels
from packer.commands import demo
from packer.engines.gpu import pins
from packer.engines.targets import TARGETS
from packer.engines.wheels import distribution

TOOLS = ("sh", "cat", "chmod", "cksum", "cp", "dd", "dirname", "env", "ls", "mkdir", "mv", "rm")
TOOLS += ("sed", "tail", "head", "uname", "id", "od", "cut", "tr", "mktemp", "ln", "expr", "stat")
LINUX = "llamapack-engine-linux-x86-64"


def build(folder: Path, **environment: str) -> list[Path]:
    words = ("-m", "ci.release.wheels", folder)
    out = run(sys.executable, *words, env={**os.environ, **environment}).stdout
    return [Path(line) for line in out.splitlines()]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with llamapack's wheel and those of all that is built here."""
    folder = tmp_path_factory.mktemp("wheels")
    build(folder)
    packages.build(folder, None)
    return folder


@pytest.fixture(scope="session")
def environment(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with llamapack, the packages that it needs, and one engine."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    packages_ = next((place / "lib").glob("python*")) / "site-packages"
    for name in needed("llamapack") - {"llamapack"}:
        for top in {path.parts[0] for path in importlib.metadata.files(name) or []} - {".."}:
            source = next(one for one in map(Path, site.getsitepackages()) if (one / top).exists())
            if not (packages_ / top).exists():
                (packages_ / top).symlink_to(source / top)
    pip(place, shelf, "llamapack", LINUX)
    return place


def needed(name: str) -> set[str]:
    """The distributions that one needs, without extras."""
    found, wanted = set[str](), [name]
    while wanted:
        one = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        try:
            requires = importlib.metadata.requires(one) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system
        if one not in found:
            found.add(one)
            wanted += [
                re.split(r"[\s;<>=!~\[(]", line)[0] for line in requires if "extra" not in line
            ]
    return found


def pip(place: Path, shelf: Path, *words: str | Path) -> str:
    options = ("--quiet", "--no-index", "--no-cache-dir", "--disable-pip-version-check")
    program = place / "bin" / "python"
    return run(program, "-m", "pip", "install", *options, "--find-links", shelf, *words).stdout


Command = Callable[..., str]


@pytest.fixture
def command(environment: Path, tmp_path: Path) -> Command:
    """Runs programs in an empty home, without compiler, npm or repository."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(str(shutil.which(tool)))
    variables = {"HOME": str(tmp_path), "PATH": f"{environment / 'bin'}:{tools}"}

    def do(*words: str | Path, status: int = 0, **more: str) -> str:
        done = run(*words, cwd=tmp_path, env={**variables, **more}, status=status)
        return done.stdout + done.stderr

    return do


@pytest.mark.usefixtures("models")
def test_an_installed_engine_packs_and_answers(command: Command, tmp_path: Path) -> None:
    model = SMOLLM2
    began = time.monotonic()
    said = command("llamapack", "pack", model, "-o", "m.llamafile")
    assert "engines: linux-x86_64 from wheels" in said
    answer = command("sh", "m.llamafile", "--cli", "-p", "The sky is", "-n", "8", "--temp", "0")
    assert answer.strip()
    print(f"packed and answered in {time.monotonic() - began:.1f} s")
    assert not (tmp_path / ".cache" / "llamapack-build" / "engines").exists()
    command("llamapack", "verify", "m.llamafile")
    assert "wheel" in command("llamapack", "engine", "list")
    command("llamapack", "engine", "clean", "--all")
    command("llamapack", "pack", model, "-o", "again.llamafile", "-q")
    assert (tmp_path / "again.llamafile").read_bytes() == (tmp_path / "m.llamafile").read_bytes()


def test_a_static_engine_of_a_wheel_is_a_program(
    command: Command, shelf: Path, tmp_path: Path
) -> None:
    root = tmp_path / "more"
    for wheel in shelf.glob("llamapack_engine_linux_x86_64_static*"):
        zipfile.ZipFile(wheel).extractall(root)
    model = REPOSITORY / "packer" / "demo_model" / "demo.gguf"
    words = ("pack", model, "--format", "elf", "--targets", "linux-x86_64-static")
    command("llamapack", *words, "-o", "m.elf", PYTHONPATH=str(root))
    assert command(tmp_path / "m.elf", "--cli", "-p", "What is", "-n", "4", "--temp", "0").strip()


def test_a_wheel_of_another_llamapack_is_passed_over(
    command: Command, shelf: Path, tmp_path: Path
) -> None:
    root = tmp_path / "more"
    (wheel,) = shelf.glob("llamapack_engine_windows_x86_64-*")
    zipfile.ZipFile(wheel).extractall(root)
    (facts,) = root.glob("*/*/engines/*/engine.json")
    facts.write_text(re.sub(r'"key": "[0-9a-f]{16}', '"key": "0123456789abcdef', facts.read_text()))
    model = REPOSITORY / "packer" / "demo_model" / "demo.gguf"
    said = command("llamapack", "pack", model, "-o", "m.llamafile", PYTHONPATH=str(root))
    assert (
        "windows-x86_64 is passed over: it is of another llamapack (key 0123456789abcdef)" in said
    )
    words = ("pack", model, "-o", "w.llamafile", "--targets", "windows-x86_64")
    said = command("llamapack", *words, status=1, PYTHONPATH=str(root))
    assert "ERROR no engine is built for windows-x86_64" in said


def test_a_damaged_wheel_is_refused(command: Command, shelf: Path, tmp_path: Path) -> None:
    root = tmp_path / "more"
    (wheel,) = shelf.glob("llamapack_engine_windows_x86_64-*")
    zipfile.ZipFile(wheel).extractall(root)
    (packed,) = root.glob("*/*/engines/*/packed.zip")
    content = bytearray(packed.read_bytes())
    content[1000] ^= 1
    packed.write_bytes(content)
    model = REPOSITORY / "packer" / "demo_model" / "demo.gguf"
    said = command("llamapack", "pack", model, "-o", "m.llamafile", status=1, PYTHONPATH=str(root))
    assert f"ERROR {packed} is damaged" in said
    assert "pip install --force-reinstall --no-deps llamapack-engine-windows-x86-64" in said


def test_engines_of_the_release_are_fetched_where_none_is_installed(
    environment: Path, command: Command, tmp_path: Path
) -> None:
    assets, code = tmp_path / "assets", tmp_path / "code"
    index = engines.export(assets, str(assets))
    wheel = next(path for path in packages.build(assets, index) if path.suffix == ".whl")
    zipfile.ZipFile(wheel).extractall(code)
    python = environment / "bin" / "python"
    for source in (next((environment / "lib").glob("python*")) / "site-packages").iterdir():
        if not source.name.startswith(("llamapack", "packer", "runtime")):
            (code / source.name).symlink_to(source)
    words = (python, "-S", "-m", "packer", "demo", "What is a llamafile?")
    said = command(*words, PYTHONPATH=str(code))
    assert "taking those of this llamapack's release" in said
    assert said.splitlines()[1] == "demo.llamafile"
    assert "released" not in command(*words, PYTHONPATH=str(code))


@pytest.mark.usefixtures("models")
def test_the_demo_packs_a_real_model(command: Command, tmp_path: Path) -> None:
    model = demo.MODELS["smollm2"]
    place = tmp_path / ".cache" / "llamapack-build" / "downloads"
    place.mkdir(parents=True)
    wheel = place / f"{model.package}-{model.sha256[:16]}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(SMOLLM2, model.file)
    said = command("llamapack", "demo", "--model", "smollm2")
    answer, _, _ = said.partition("smollm2.llamafile\n")
    assert len(answer.split()) > 3


def test_pins_of_the_demo_are_those_of_the_locks() -> None:
    locks = REPOSITORY / "ci" / "locks"
    model = demo.MODELS["smollm2"]
    pin = f"{model.package}=={model.version} \\\n    --hash=sha256:{model.sha256}"
    assert pin in (locks / "models.lock").read_text()
    every = re.split(r"^(?=\w)", (locks / "requirements.lock").read_text(), flags=re.M)
    few = re.split(r"^(?=\w)", (locks / "runtime.lock").read_text(), flags=re.M)
    assert set(few) <= set(every)
    names = {re.sub(r"[-_.]+", "-", block.split("==")[0]).lower() for block in few}
    assert needed("llamapack") - {"llamapack"} <= names


def test_wheels_are_the_same_twice_and_what_pip_expects(shelf: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again", TZ="Asia/Tokyo")
    assert again
    for path in again:
        assert path.read_bytes() == (shelf / path.name).read_bytes()
        assert path.stat().st_size < wheels.LIMIT
        with zipfile.ZipFile(path) as opened:
            (metadata,) = (name for name in opened.namelist() if name.endswith("/METADATA"))
            text = opened.read(metadata).decode()
            assert {f"{Path(metadata).parent}/licenses/LICENSE"} < set(opened.namelist())
        if "_engine_" in path.name:
            assert re.search(r"^Keywords: [0-9a-f]{64}$", text, re.M)


def test_extras_name_wheels_that_a_release_makes() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    every = [f"engine-{target}" for target in TARGETS]
    assert extras["all-engines"] == [pinned(one, project["version"]) for one in sorted(every)]
    assert set(extras["engines"]) < set(extras["all-engines"])
    for kind in ("metal", "vulkan"):
        found = sorted(f"gpu-{one.target}-{kind}" for one in pins.load() if one.kind == kind)
        assert extras[kind] == [pinned(one, project["version"]) for one in found]


def pinned(piece: str, version: str) -> str:
    return f"{distribution(piece)}=={version}"
