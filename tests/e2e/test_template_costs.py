"""Chat templates that hang, fill memory or nest without end: the engine says so, soon, and ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import pack, run, serving

DEEP = {
    "parentheses": "{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}",
    "lists": "{{ " + "[" * 100000 + "]" * 100000 + " }}",
    "mappings": "{{ " + "{'a':" * 100000 + "1" + "}" * 100000 + " }}",
    "calls": "{{ " + "f(a=" * 100000 + "1" + ")" * 100000 + " }}",
    "if": "{% if true %}" * 50000 + "{% endif %}" * 50000,
    "elif": "{% if a %}" + "{% elif b %}" * 50000 + "{% endif %}",
    "for": "{% for i in [1] %}" * 50000 + "{% endfor %}" * 50000,
    "set": "{% set a %}" * 50000 + "{% endset %}" * 50000,
    "not": "{{ " + "not " * 200000 + "1 }}",
    "minus": "{{ " + "-" * 200000 + "1 }}",
    "members": "{{ a" + ".b" * 200000 + " }}",
    "elements": "{{ a" + "[0]" * 200000 + " }}",
    "filters": "{{ 'a'" + " | trim" * 200000 + " }}",
    "tests": "{{ 1" + " is number" * 100000 + " }}",
    "sums": "{{ 1" + "+1" * 200000 + " }}",
    "and": "{{ a" + " and b" * 200000 + " }}",
    "else": "{{ 1" + " if a else 2" * 100000 + " }}",
}
COSTLY = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a long range": "{% for i in range(1000000000) %}{% endfor %}",
    "doubled": "{% set n = namespace(s='0123456789') %}{% for i in range(40) %}"
    "{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "replaced": "{% set n = namespace(s='a') %}{% for i in range(12) %}{% set n.s = n.s ~ n.s %}"
    "{% endfor %}{{ n.s | replace('a', n.s) | replace('a', n.s) }}",
    "a macro in itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macros in each other": "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}{{ a(x) }}"
    "{% endmacro %}{{ a(1) }}",
}


@pytest.fixture(scope="module")
def bundle(engines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("costs") / "demo.llamafile"
    return pack(DEMO, "--targets", "linux-x86_64", output=output)


def with_template(folder: Path, text: str) -> Path:
    """The demo model with this template in its header."""
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": text}))
    made = folder / "evil.gguf"
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", "--force"]
    command += ["--chat-template-config", str(config), str(DEMO), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.mark.parametrize("name", [*DEEP, *COSTLY])
def test_of_the_model(name: str, bundle: Path, tmp_path: Path) -> None:
    model = with_template(tmp_path, (DEEP | COSTLY)[name])
    before = os.times()
    done = run(["sh", bundle, "--server", "--nobrowser", "--port", "0", "-m", model])
    after = os.times()
    lines = [line for line in done.stderr.decode().splitlines() if line[:3] in ("ERR", "TIP")]
    assert done.returncode == 1, done.stderr[-1000:]
    assert lines[0].startswith("ERROR the chat template of the model "), lines
    assert lines[1].startswith("TIP "), lines
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 12


@pytest.mark.parametrize("name", ["parentheses", "loops"])
def test_of_a_file(name: str, bundle: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text((DEEP | COSTLY)[name])
    words = ("--server", "--nobrowser", "--port", "0", "--chat-template-file", template)
    done = run(["sh", bundle, *words])
    assert done.returncode == 1
    assert b"ERROR the chat template that was given " in done.stderr


def test_another_template_is_a_way_out(bundle: Path, tmp_path: Path) -> None:
    model = with_template(tmp_path, COSTLY["loops"])
    with serving(bundle, "-m", str(model), "--chat-template", "chatml"):
        pass  # it has answered


def test_usual_templates_are_well(bundle: Path, tmp_path: Path) -> None:
    """All that come with llamapack, and one with as long a list as a template may have."""
    texts = [path.read_text() for path in sorted(Path("templates/chat").glob("*.jinja"))]
    assert len(texts) > 3
    for text in [*texts, "{{ [" + "1, " * 100000 + "1] | length }}{{ messages[0].content }}"]:
        (tmp_path / "t.jinja").write_text(text)
        words = ("--chat-template-file", str(tmp_path / "t.jinja"))
        with serving(bundle, *words):
            pass
