"""Programs on top of the clients' libraries, and how they find a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.api_calls import MODEL
from helpers.running import Server, run

from packer.io import build_cache

ASKING = {
    "openai": """
import openai, os
print(openai.OpenAI().models.retrieve(os.environ["OPENAI_MODEL"]).id)
""",
    "anthropic": """
import anthropic, os
ask, hi = anthropic.Anthropic().messages.create, [{"role": "user", "content": "Hi"}]
print(ask(model=os.environ["ANTHROPIC_MODEL"], messages=hi, max_tokens=3).model)
""",
    "ollama": """
import ollama
print(ollama.list().models[0].model)
""",
}


@pytest.mark.parametrize("name", ASKING)
def test_variables_for_clients(smollm2: Path, smol: Server, name: str, tmp_path: Path) -> None:
    """`eval` of what is printed lets such a client find the server, with no word of its own."""
    words = ["--server", "--port", smol.url.rpartition(":")[2], "--print-env", name]
    printed = run(["sh", smollm2, *words])
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "env.sh").write_bytes(printed.stdout)
    (tmp_path / "ask.py").write_text(ASKING[name])
    done = run(["sh", "-c", ". ./env.sh && python ask.py"], cwd=tmp_path)
    assert done.stdout.decode().strip() == MODEL, done.stderr
    assert run(["sh", smollm2, "--print-env", "gopher"]).returncode == 1


INSTRUCTOR = """
import asyncio, json, sys
import instructor
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

class Person(BaseModel):
    name: str
    age: int

def ask(kind, mode):
    words = {"base_url": sys.argv[1] + "/v1", "api_key": "none", "max_retries": 0, "timeout": 300}
    return instructor.from_openai(kind(**words), mode=mode).chat.completions.create(
        model=sys.argv[2], response_model=Person, max_retries=0, max_tokens=200, temperature=0,
        messages=[{"role": "user", "content": "Ada is 36 years old. Who is it?"}],
    )

made = [ask(OpenAI, mode) for mode in (instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS)]

async def wait():
    return await ask(AsyncOpenAI, instructor.Mode.JSON_SCHEMA)

made.append(asyncio.run(wait()))
print(json.dumps([isinstance(one, Person) for one in made]))
"""


def test_instructor(tools: Server, tmp_path: Path) -> None:
    """Its JSON_SCHEMA and TOOLS modes, waiting and asynchronous: objects that pydantic takes."""
    packages = build_cache.root() / "clients"
    if not (packages / "complete").exists():
        pytest.fail("instructor is missing; run `sh ci/clients`")
    (tmp_path / "ask.py").write_text(INSTRUCTOR)
    words = ["python", tmp_path / "ask.py", tools.url, MODEL]
    done = run(words, PYTHONPATH=str(packages))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True] * 3
