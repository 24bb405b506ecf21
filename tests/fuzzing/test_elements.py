"""native/engine/hooks/tensor_elements.c: how many elements upstream is told that a tensor has."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

from helpers.repository import REPOSITORY

from packer.engines import toolchain


def test_elements_of_a_tensor_do_not_wrap(tmp_path: Path) -> None:
    """Upstream takes 2**32 times 2**32 elements for none."""
    (tmp_path / "ggml.h").write_text(
        "#include <stdint.h>\n#define GGML_MAX_DIMS 4\nstruct ggml_tensor { int64_t ne[4]; };\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "ggml.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
        "int64_t ggml_nelements_saturated(const struct ggml_tensor *);\n"
        "int main(int argc, char ** argv) { struct ggml_tensor t; for (int i = 0; i < 4; i++)"
        " t.ne[i] = argc > i + 1 ? atoll(argv[i + 1]) : 1;"
        ' printf("%lld", (long long) ggml_nelements_saturated(&t)); }\n'
    )
    hook = REPOSITORY / "native" / "engine" / "hooks" / "tensor_elements.c"
    program = tmp_path / "try"
    zig = toolchain._zig()
    command = [zig, "cc", "-fsanitize=undefined", f"-I{tmp_path}", tmp_path / "main.c", hook]
    subprocess.run([*command, "-o", program], check=True)
    largest = (1 << 63) - 1
    shapes = [[5], [2, 3, 4, 5], [1 << 32, 1 << 32], [largest, 0], [0, largest, largest]]
    shapes += [[largest], [largest, 2], [1 << 62, 2], [1 << 31, 1 << 31], [3, largest // 3]]
    for shape in shapes:
        done = subprocess.run([program, *map(str, shape)], capture_output=True, check=True)
        assert int(done.stdout) == min(math.prod(shape), largest), shape
