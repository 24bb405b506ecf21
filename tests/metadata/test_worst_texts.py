"""The most expensive texts of strangers that are read at all cost little."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.costs import cheap

_FRONT_MATTER = (
    "from pathlib import Path; from runtime.errors import InputError\n"
    "from packer.metadata.front_matter import front_matter\n"
    "try: front_matter(Path(sys.argv[1]).read_text(), 'README.md')\n"
    "except InputError as problem: print(problem.message)\n"
)
_LEGACY = (
    "from pathlib import Path; from runtime.errors import InputError\n"
    "from packer.templates.legacy import LegacyTemplates, to_jinja\n"
    "text = Path(sys.argv[1]).read_text()\n"
    "try: to_jinja(LegacyTemplates(text, text if len(sys.argv) > 2 else None), 'README.md')\n"
    "except InputError as problem: print(problem.message)\n"
)
_PRESET = (
    "from pathlib import Path; from runtime.errors import InputError\n"
    "from packer.bundle.models_ini import served_as, without\n"
    "text = Path(sys.argv[1]).read_text()\n"
    "try: served_as(text), without(text, ['x'])\n"
    "except InputError as problem: print(problem.message)\n"
)

_SIZE = 500_000
_YAML = {
    "values": "a: [" + "1," * (_SIZE // 2) + "]",
    "allowed values": "a: [" + "1," * 19_000 + "]",
    "many characters": "a: [" + "1," * 19_000 + "]\nb: " + "x " * (_SIZE // 2 - 30_000),
    "too many characters": "a: " + "x " * _SIZE,
    "lines": "a:\n" + "  x\n" * (_SIZE // 4),
    "base 60": "a: " + "1:" * (_SIZE // 2) + "1",
    "base 60 by tag": "a: !!int " + "1:" * (_SIZE // 2) + "1",
    "hexadecimal": "a: 0x" + "f" * _SIZE,
    "comment": "#" * _SIZE + "\na: 1",
    "brackets": "[" * _SIZE,
    "nested": "[[[[[[[[[[]]]]]]]]]]\n" * (_SIZE // 21),
    "keys": "\n".join(f"k{n}: 1" for n in range(_SIZE // 10)),
    "aliases": "a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * 5000 + "]",
    "merges": "a: &a {" + ",".join(f"k{n}: 1" for n in range(5000)) + "}\n"
    + "".join(f"m{n}: {{<<: *a}}\n" for n in range(5000)),
    "quoted": 'a: "' + r"\x41" * (_SIZE // 4) + '"',
}  # fmt: skip


@pytest.mark.parametrize("kind", _YAML)
def test_front_matter(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"---\n{_YAML[kind]}\n---\n")
    cheap(_FRONT_MATTER, path)


@pytest.mark.parametrize(
    "block", ["a\n", "license: [x\n", "license: [" + "1," * 5000 + "]\nb\n", "a: &a [x]\nb: [*a]\n"]
)
def test_many_blocks_further_down(tmp_path: Path, block: str) -> None:
    path = tmp_path / "README.md"
    path.write_text("Text.\n" + f"---\n{block}" * (1_000_000 // (len(block) + 4)) + "---\n")
    cheap(_FRONT_MATTER, path)


@pytest.mark.parametrize(
    "text",
    [
        "{{" + " " * 65_000, "{{" * 32_000, "{{ " * 21_000, "{{" + "x" * 65_000,
        "{{prompt" + " " * 65_000 + "x}}", " {{x}}" * 10_000, "{{" + " " * 3000 + "\n" * 60_000,
        "{{prompt}}" + "{{" * 32_000, "{{" + " " * 1_000_000, "{{prompt}}" + "\n" * 60_000,
    ],
)  # fmt: skip
def test_old_template_fields(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fields"
    path.write_text(text)
    cheap(_LEGACY, path)
    cheap(_LEGACY, path, "twice")


@pytest.mark.parametrize(
    "text",
    [
        "[" + " " * 250_000, "a=x" + " " * 250_000 + "x", " " * 250_000 + "x", "[x" + " " * 250_000,
        "[x]" + " " * 250_000 + "x", "a" * 260_000, "\n" * 260_000, "[a]\n" * 65_000,
        "a=/zip/x\n" * 29_000, "[" + "[" * 250_000, "a=" + "," * 250_000, "[" + " " * 12_000_000,
    ],
)  # fmt: skip
def test_presets(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.ini"
    path.write_text(text)
    cheap(_PRESET, path)
