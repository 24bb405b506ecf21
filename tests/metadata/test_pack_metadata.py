"""Cards, licences and extra files of `pack`: what is in the bundle, and what is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import yaml
from helpers.cards import GEMMA_CARD
from helpers.stand_ins import CommandLine, Refused, write_gguf


def test_members_and_manifest(gguf: Path, llamapack: CommandLine, tmp_path: Path) -> None:
    card = "---\nlicense: llama3.2\nprompt_template: |\n  {{prompt}}\n---\n# Tiny\n"
    (tmp_path / "BASE.md").write_text(card)
    (tmp_path / "LICENSE").write_text("Terms.\n" * 999)
    (tmp_path / "json.gbnf").write_text('root ::= "{}"\n')
    done = llamapack(
        "pack", gguf, "--card", tmp_path / "BASE.md", "--license", tmp_path / "LICENSE",
        "--add", tmp_path / "json.gbnf", "--chat-template", "chatml", "--ctx-size", "256",
        "--args", "--grammar-file json.gbnf", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "licence of the weights: llama3.2, with terms of use; see https://" in done.stderr
    with zipfile.ZipFile(tmp_path / "tiny.llamafile") as archive:
        assert archive.namelist()[-7:] == [
            "tiny.gguf", "chat_template.jinja", "card/BASE.md", "json.gbnf",
            "licenses/model/LICENSE", ".args", "llamapack.json",
        ]  # fmt: skip
        assert archive.read("card/BASE.md").decode() == card
        assert archive.read("licenses/model/LICENSE").decode() == "Terms.\n" * 999
        manifest = json.loads(archive.read("llamapack.json"))
        args = archive.read(".args").decode()
    assert manifest["card"] == {"license": "llama3.2", "prompt_template": "{{prompt}}\n"}
    assert args.endswith("chat_template.jinja\n-c\n256\n--grammar-file json.gbnf\n")
    assert set(manifest["members"]) >= {"card/BASE.md", "licenses/model/LICENSE", "json.gbnf"}
    assert llamapack("verify", tmp_path / "tiny.llamafile").returncode == 0
    done = llamapack("edit", tmp_path / "tiny.llamafile", "--args", "--temp 0")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "tiny.llamafile") as archive:
        assert archive.read(".args").decode().endswith("chat_template.jinja\n-c\n256\n--temp 0\n")
        assert json.loads(archive.read("llamapack.json"))["card"] == manifest["card"]


def test_an_old_card_is_all_that_a_model_without_template_needs(
    llamapack: CommandLine, tmp_path: Path
) -> None:
    gguf = write_gguf(tmp_path / "old.gguf", template=None)
    (tmp_path / "README.md").write_text(GEMMA_CARD)
    (tmp_path / "m.json").write_text('[{"role": "user", "content": "Hi"}]')
    done = llamapack("pack", gguf, "--card", tmp_path / "README.md", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "old.llamafile"
    done = llamapack("template", "render", bundle, "--messages", tmp_path / "m.json")
    assert done.stdout == "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
    stated = yaml.safe_load(GEMMA_CARD.split("---\n")[1])
    found = yaml.safe_load(llamapack("card", bundle).stdout.split("---\n")[1])
    assert found.pop("tags") == ["llamafile", "gguf", "conversational"]
    assert {*stated.pop("tags")} == {"llamafile", "conversational"}
    assert found.items() >= stated.items()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--card", "none.md"], "none.md does not exist"),
        (["--card", "latin1.md"], "latin1.md is not UTF-8"),
        (["--card", "broken.md"], "broken.md, line"),
        (["--license", "none"], "none does not exist"),
        (["--license", "a/LICENSE", "--license", "b/LICENSE"], "two licences would be member"),
        (["--license", "large"], "large has more than 1 MiB"),
        (["--add", "none"], "none does not exist"),
        (["--add", "llamapack.json"], "llamapack.json cannot be added"),
        (["--add", "tiny.gguf"], "tiny.gguf are weights"),
        (["--add", "a/LICENSE", "--add", "b/LICENSE"], "two files would be member LICENSE"),
    ],
)
def test_refusals(  # noqa: PLR0917
    flags: list[str],
    message: str,
    gguf: Path,
    llamapack: CommandLine,
    tmp_path: Path,
    refused: Refused,
) -> None:
    (tmp_path / "latin1.md").write_bytes(b"---\nlicense: \xe9\n---\n")
    (tmp_path / "broken.md").write_text("---\na: [\n---\n")
    (tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    (tmp_path / "llamapack.json").write_text("{}")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "LICENSE").write_text("Terms.")
    assert message in refused(llamapack("pack", gguf, *flags, cwd=tmp_path))
    assert not list(tmp_path.glob("*.llamafile"))


@pytest.mark.parametrize(
    "flags", [["--sampling", "heat=1"], ["--card-field", "x=1"], ["--ctx-size", "-1"]]
)
def test_usage(flags: list[str], gguf: Path, llamapack: CommandLine) -> None:
    done = llamapack("pack", gguf, *flags)
    assert done.returncode == 2
    assert flags[0] in done.stderr
