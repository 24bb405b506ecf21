"""Compiles ggml's CUDA module with NVIDIA's nvcc, by the recipe that bundles carry too.

A bundle compiles for the card of its machine (`--recompile`), this for all that
`native/gpu/modules.toml` lists.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packer.engines import cache, layout, logged, native, source, toolchain
from packer.engines import pins as engine_pins
from packer.engines.gpu import pins, recipes
from packer.io import build_cache
from packer.io.console import note
from packer.io.data_folders import data_folder
from runtime.errors import InputError
from runtime.machine.machine import Machine

_ARCHITECTURE = "-arch={architecture}"
_TOOLKIT = "{toolkit}"
_STATIC = ("-Xcompiler=-static-libstdc++", "-Xcompiler=-static-libgcc")
"""For users' systems whose C++ library is older."""


_STUBS = {"libcuda.so": "libcuda.so.1", "libcublas.so": "libcublas.so.13"}
"""What the module is linked with in place of the driver and cuBLAS: empty libraries of the same
names. The first comes with a card's driver, the second's package has 0.4 GB."""


@dataclass(frozen=True)
class CudaBuild:
    """The steps of a build, as ninja takes them."""

    nvcc: Path
    compile: tuple[str, ...]
    """Words between nvcc and the source."""
    link: tuple[str, ...]
    """Words after the objects."""
    sources: tuple[str, ...]
    """Paths in llama.cpp's folder."""

    def ninja(self, base: Path, llama_cpp: Path, library: Path) -> str:
        """The text of `build.ninja`, to stand beside the library.

        Args:
            base: our ggml-base, which the module is linked with.
        """
        objects = [f"{number}.o" for number in range(len(self.sources))]
        lines = [
            "rule nvcc",
            f"  command = cd {_quoted(llama_cpp)} && {_words(self.nvcc, *self.compile)} -c $source"
            f" -o {_quoted(library.parent)}/$out",
            "rule stub",
            f"  command = {_words(self.nvcc)} -shared -Xlinker=-soname=$soname -o $out nothing.cu",
            "rule link",
            f"  command = {_words(self.nvcc)} $objects {_words(base, *self.link)} -o $out",
        ]
        for name, made in zip(self.sources, objects, strict=True):
            lines += [f"build {made}: nvcc", f"  source = {_quoted(name)}"]
        for name, soname in _STUBS.items():
            lines += [f"build {name}: stub nothing.cu", f"  soname = {soname}"]
        lines += [
            f"build {library.name}: link {' '.join([*objects, *_STUBS])}",
            f"  objects = {' '.join(objects)}",
            "",
        ]
        return "\n".join(lines)


def prepared(llama_cpp: Path, nvcc: Path, architectures: Sequence[str]) -> CudaBuild:
    """What the recipe for Linux comes to with this compiler.

    Args:
        llama_cpp: the folder with llama.cpp's sources.
        architectures: as in `GpuPins.cuda_architectures`.

    Raises:
        InputError: llama.cpp lacks a file that the recipe names.
    """
    (recipe,) = (one for one in recipes.load(llama_cpp, ["linux-x86_64"]) if one.kind == pins.CUDA)

    def words(given: Sequence[str]) -> list[str]:
        made: list[str] = []
        for word in given:
            made += _codes(architectures) if word == _ARCHITECTURE else [word]
        return made

    # Folders of the toolkit are those of the machine that compiles, not of the user's.
    link = [word for word in recipe.facts["link"] if _TOOLKIT not in word]
    return CudaBuild(
        nvcc,
        # As upstream's build does; a module for seven architectures is 2 GB otherwise.
        (*words(recipe.facts["flags"]), "-compress-mode=size"),
        ("-L.", "-Xlinker=--no-as-needed", *words(link), *_STATIC),
        tuple(recipe.facts["sources"]),
    )


def build(file: Path, log: Path, jobs: int) -> None:
    """Compile the module for this machine's system (an hour or more).

    Args:
        file: where it goes.
        log: what the tools print goes there.

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    target = Machine.this().target
    if target != "linux-x86_64":
        raise InputError(
            f"the CUDA module is compiled on Linux for x86-64, this is {target}",
            "On this machine a bundle compiles its own: start it with `--recompile`.",
        )
    sources = native.directory()
    llama_cpp = source.ready(engine_pins.load(sources))
    engine = cache.find(target)
    if engine is None:
        raise InputError(
            f"there is no current engine for {target}, which the module is linked with",
            f"Run `llamapack engine build {target}`.",
        )
    steps = prepared(llama_cpp, compiler(), pins.load_all().cuda_architectures)
    note(f"compiling {len(steps.sources)} CUDA sources, which takes an hour or more (log: {log})")
    folder = layout.build("gpu-cuda")
    shutil.copyfile(linked(steps, engine, llama_cpp, folder, jobs=jobs), file)
    shutil.rmtree(folder, ignore_errors=True)


def linked(steps: CudaBuild, engine: Path, llama_cpp: Path, folder: Path, *, jobs: int) -> Path:
    """Compile and link the module in `folder`; its path.

    Objects of an earlier attempt in that folder serve again: ninja compares commands.

    Raises:
        InputError: a step fails; the message names the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "libggml-cuda.so"
    text = steps.ninja(engine / "libggml-base.so", llama_cpp, library)
    (folder / "build.ninja").write_text(text, encoding="utf-8")
    (folder / "nothing.cu").touch()
    with toolchain.ninja_progress("CUDA") as on_line:
        words = [str(toolchain.program("ninja")), "-C", str(folder), "-j", str(jobs)]
        env = toolchain.clean_environment()
        logged.run(words, "compiling CUDA", layout.log("gpu"), env=env, on_line=on_line)
    return library


def compiler() -> Path:
    """NVIDIA's nvcc, with cuBLAS beside it: this machine's, or the one that `ci/nvcc` downloaded.

    Raises:
        InputError: there is none.
    """
    script = data_folder("native").parent / "ci" / "nvcc"
    fetched = build_cache.root() / "nvcc" / "nvidia" / "cu13" / "bin" / "nvcc"
    found = shutil.which("nvcc")
    compilers = [path for path in (Path(found) if found else None, fetched) if path]
    compilers = [path for path in compilers if path.is_file()]
    for path in compilers:
        if (_toolkit(path) / "include" / "cublas_v2.h").is_file():
            return path
    what = "cuBLAS is not installed beside NVIDIA's nvcc" if compilers else "nvcc is not installed"
    raise InputError(
        f"{what}; the CUDA module is compiled with both",
        f"Run `sh {script} --cublas` (0.7 GB), or install the CUDA toolkit.",
    )


def _toolkit(nvcc: Path) -> Path:
    """The folder of the toolkit, which nvcc itself may be a script outside of."""
    words = [str(nvcc), "--dryrun", "-x", "cu", os.devnull, "-o", os.devnull]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
    found = re.search(r"^#\$ TOP=(.+)$", said, re.M)
    return Path(found[1]).resolve() if found else nvcc.resolve().parent.parent


def _codes(architectures: Sequence[str]) -> list[str]:
    """nvcc's words for architectures that are written as CMake does."""
    codes = []
    for one in architectures:
        number, _, kind = one.partition("-")
        code = f"compute_{number}" if kind == "virtual" else f"sm_{number}"
        codes.append(f"-gencode=arch=compute_{number},code={code}")
    return codes


def _words(*words: str | Path) -> str:
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str | Path) -> str:
    """A word for sh, in a file of ninja's."""
    text = str(word).replace("'", "'\\''").replace("$", "$$")
    return f"'{text}'"
