"""Templates of strangers that hang, fill memory or nest without end: each is said to fail, soon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.lanes import slow
from helpers.stand_ins import write_gguf

COSTLY = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "text times a number": "{{ 'a' * 300000000 }}",
    "a number that is computed": "{% set n = 300000000 %}{{ 'a' * n }}",
    "a power": "{{ 10 ** 100000000 }}",
    "a power that is computed": "{% set n = 100000000 %}{{ (10 ** n) > 1 }}",
    "a width": "{{ '{:>1000000000}'.format('x') }}",
    "a width of the filter": "{{ '%0999999999d' | format(1) }}",
    "a width behind %": "{{ '%0999999999d' % 1 }}",
    "a width of center": "{{ 'x' | center(1000000000) }}",
    "an indent": "{{ 'x\ny' | indent(1000000000) }}",
    "lipsum": "{{ lipsum(n=1000000) }}",
    "replace": "{% set a = 'a' * 10000 %}{{ a | replace('a', a) | replace('a', a) }}",
    "doubled": "{% set n = namespace(s='x') %}{% for i in range(40) %}{% set n.s = n.s ~ n.s %}"
    "{% endfor %}",
    "printed": "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    "a macro in itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "parentheses": "{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}",
    "lists": "{{ " + "[" * 100000 + "]" * 100000 + " }}",
    "if": "{% if true %}" * 50000 + "{% endif %}" * 50000,
    "not": "{{ " + "not " * 200000 + "1 }}",
    "members": "{{ a" + ".b" * 200000 + " }}",
    "filters": "{{ 'a'" + " | trim" * 200000 + " }}",
    "sums": "{{ 1" + "+1" * 200000 + " }}",
}
SECONDS = 14  # of a processor, in all processes of one command: 8 in the engine, 3 in Python
MEMORY = 600 << 10  # KiB


MEASURE = """import resource, subprocess, sys
done = subprocess.run(sys.argv[2:], check=False)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as out:
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=out)
sys.exit(done.returncode)"""
"""A process of its own: what this one's children ever took would count too."""


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command, within the limits."""
    note = folder / "used"
    command = [sys.executable, "-c", MEASURE, note, sys.executable, "-m", "packer", *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    seconds, memory = note.read_text().split()
    assert float(seconds) < SECONDS
    assert int(memory) < MEMORY
    return done


@slow
@pytest.mark.parametrize("name", COSTLY)
def test_check_ends(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(COSTLY[name])
    done = run(tmp_path, "template", "check", tmp_path / "t.jinja")
    assert (done.returncode, done.stderr) == (1, "")
    assert "t.jinja: its chat template " in done.stdout


@slow
@pytest.mark.parametrize("name", ["loops", "a power", "text times a number", "parentheses"])
def test_pack_and_render_end(name: str, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text(COSTLY[name])
    gguf = write_gguf(tmp_path / "evil.gguf", template=COSTLY[name])
    messages = tmp_path / "m.json"
    messages.write_text(json.dumps([{"role": "user", "content": "Hi"}]))
    for words, status, says in (
        (("template", "render", template, "--messages", messages), 1, "ERROR"),
        # The engine cannot load this model, which has a header and no more.
        (("pack", gguf, "-o", tmp_path / "a.llamafile"), 1, "chat template fails"),
        (("template", "show", gguf, "--json"), 0, ""),
    ):
        done = run(tmp_path, *words)
        assert done.returncode == status, done
        assert says in done.stderr


def test_a_module_of_the_current_folder_is_not_loaded(tmp_path: Path) -> None:
    for name in ("jinja2.py", "json.py", "packer.py", "sitecustomize.py"):
        (tmp_path / name).write_text("open('ran', 'w')\n")
    (tmp_path / "t.jinja").write_text("{{ messages[0].content }}")
    command = [sys.executable, "-P", "-m", "packer", "template", "show", "t.jinja", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()
