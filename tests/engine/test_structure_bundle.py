"""One bundle for all targets: what lies in it is what each system's loader takes.

Engines that are built are packed as they are; for the others small programs of the same kind stand
in, so that this says something of stubs and of packing on every machine.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.stand_ins import write_engine, write_web_ui
from structure_samples import Files

from packer.bundle.pack import BundlePlan, pack
from packer.checks import check, check_stub
from packer.engines import cache, front, toolchain
from packer.engines.deflated import packed_engine, packed_web_ui
from packer.engines.stubs import STUB_TARGETS, build_stubs
from packer.engines.targets import TARGETS
from packer.io.output import output_file

Engines = Callable[[str], Files]
IN_THE_FILE = [target for target in STUB_TARGETS if target != "windows-aarch64"]


@pytest.fixture(scope="module")
def bundle(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    path = folder / "all.llamafile"
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        built = cache.built()
        # Small stand-ins have no place among the user's deflated engines.
        patch.setenv("LLAMAPACK_BUILD_CACHE", str(folder / "cache"))
        packed = [
            stack.enter_context(
                packed_engine(
                    name, built.get(name) or write_engine(folder / name, dict(engines(name)))
                )
            )
            for name in sorted(TARGETS)
        ]
        patch.undo()
        plan = BundlePlan(
            name="all",
            front=front.polyglot(TARGETS),
            engines=packed,
            gpu_modules=(),
            shared=[stack.enter_context(packed_web_ui(write_web_ui(folder / "web-ui")))],
            weights={},
            models=(),
            chat_template=None,
            args="",
            epoch=0,
        )
        with output_file(path) as destination:
            pack(plan, destination, lambda _: None)
    return path


@pytest.fixture(scope="module")
def members(bundle: Path) -> dict[str, dict[str, bytes]]:
    """The native files of each engine, as Python's zipfile reads them."""
    found: dict[str, dict[str, bytes]] = {}
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            if name.startswith("engines/"):
                _, target, file = name.split("/")
                found.setdefault(target, {})[file] = archive.read(name)
    return found


def test_it_holds_an_engine_for_every_target(members: dict[str, dict[str, bytes]]) -> None:
    assert set(members) == set(TARGETS)
    for files in members.values():
        listed = dict(
            reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines()
        )
        del files["SHA256SUMS"]
        assert listed == {n: hashlib.sha256(data).hexdigest() for n, data in files.items()}


@pytest.mark.parametrize("target", TARGETS)
def test_the_engine_keeps_its_systems_rules(
    members: dict[str, dict[str, bytes]], target: str
) -> None:
    assert check(target, members[target]) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_damaged_or_foreign_file_is_rejected(
    members: dict[str, dict[str, bytes]], target: str
) -> None:
    # Reading the CPU modules once more would take a minute.
    files = {name: data for name, data in members[target].items() if "ggml-cpu" not in name}
    program = TARGETS[target].executable
    for broken in (
        files[program][: len(files[program]) // 2],
        members[_other(target)][TARGETS[_other(target)].executable],
    ):
        assert any(program in problem for problem in check(target, files | {program: broken}))


def _other(target: str) -> str:
    """The same system on the other architecture."""
    swap = {"x86_64": "aarch64", "aarch64": "x86_64"}
    return "-".join(swap.get(part, part) for part in target.split("-"))


@pytest.mark.parametrize("target", IN_THE_FILE)
def test_the_stub_lies_in_the_file_and_keeps_the_rules(bundle: Path, target: str) -> None:
    stub = build_stubs([target], toolchain._zig())[target]
    front_size = json.loads(zipfile.ZipFile(bundle).read("llamapack.json"))["front"]["size"]
    first = bundle.read_bytes()[:front_size]
    at = first.find(stub)
    assert at > 0
    assert at % 65536 == 0
    assert check_stub(target, first[at : at + len(stub)]) == []
    assert check_stub(target, first[at : at + len(stub) // 2]) != []
