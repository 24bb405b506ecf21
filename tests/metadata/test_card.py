"""`llamapack card` as a process: what is in a card, read by `huggingface_hub` and by eye."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from carding import Card, Stating
from helpers.cards import blocks, metadata_errors
from helpers.stand_ins import CommandLine, Refused, write_gguf
from huggingface_hub import ModelCard

SEED = {
    "license": "other",
    "license_name": "Gemma Terms",
    "license_link": "https://ai.google.dev/gemma/terms",
    "library_name": "transformers",
    "base_model": "google/gemma-2-2b-it",
    "prompt_template": "<start_of_turn>system\n{{prompt}}<end_of_turn>\n{{history}}\n"
    "<start_of_turn>{{char}}\n",
    "history_template": "<start_of_turn>{{name}}\n{{message}}<end_of_turn>\n",
    "tags": ["llamafile", "conversational"],
    "widget": [{"messages": [{"role": "user", "content": "How does the brain work?"}]}],
    "inference": {"parameters": {"max_new_tokens": 200}},
    "model_creator": "Google",
    "title": "Gemma 2 2B",
    "description": "Gemma is a model of Google's.",
    "sections": [
        {"title": "Testing", "text": "Greedy answers were compared with the original's."},
        {"title": "See Also", "text": "- a link"},
    ],
}


def sections(text: str) -> list[str]:
    return [line[3:] for line in text.splitlines() if line.startswith("## ")]


def test_what_a_bundle_states_is_in_its_card(stating: Stating, card: Card) -> None:
    text = card(stating(SEED), "--repo", "acme/gemma")
    assert metadata_errors(text) == []
    data = ModelCard(text).data.to_dict()
    for field in ("library_name", "base_model", "widget", "inference"):
        assert data[field] == SEED[field]
    for field in ("prompt_template", "history_template"):
        assert data[field] == SEED[field]
        assert f"\n{field}: |\n" in text
    assert data["license_name"] == "gemma-terms"
    assert data["base_model_relation"] == "quantized"
    assert data["tags"] == ["llamafile", "gguf", "conversational"]
    assert data["pipeline_tag"] == "text-generation"
    assert not {"title", "description", "sections"} & data.keys()
    assert "\n# Gemma 2 2B - llamafile\n\nGemma is a model of Google's.\n" in text
    assert "[google/gemma-2-2b-it](https://huggingface.co/google/gemma-2-2b-it)" in text
    assert "## Testing\n\nGreedy answers" in text
    assert "No test" not in text
    assert sections(text)[-3:] == ["See Also", "Testing", "License"]
    assert text.count("## Testing") == 1


def test_what_nobody_knows_is_left_out(stating: Stating, card: Card) -> None:
    text = card(stating({}))
    assert metadata_errors(text) == []
    assert ModelCard(text).data.to_dict() == {
        "license": "apache-2.0",
        "library_name": "llamafile",
        "pipeline_tag": "text-generation",
        "tags": ["llamafile", "gguf", "conversational"],
    }
    assert "None" not in text
    assert "huggingface.co" not in text
    assert "Model creator" not in text
    assert "No test of this model is recorded" in text
    assert "## About the parts" not in text
    assert "## Prompt format" not in text


def test_checksums_are_those_of_the_files(bundle: Path, gguf: Path, card: Card) -> None:
    text = card(bundle)
    for path in (bundle, gguf):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text


def test_the_base_model_s_card_is_carried_over(stating: Stating, card: Card) -> None:
    """Its text as it is, its front matter not a second time."""
    body = "# Base\n\n\n\n```python\nprint(1)\n```\n---\nend\n"
    path = stating(SEED, {"card/BASE.md": f"---\nlicense: gemma\n---\n{body}"})
    text = card(path)
    assert text.endswith(f"\n---\n\n{body}")
    assert "license: gemma" not in text
    assert all(block.text != "print(1)\n" for block in blocks(text))


def test_licences_of_the_weights(stating: Stating, card: Card) -> None:
    path = stating({"license": "gemma"}, {"licenses/model/NOTICE.txt": "terms"})
    data = ModelCard(text := card(path)).data
    assert (data.license, data.license_link) == ("gemma", "LICENSE")
    assert "under gemma, see [LICENSE](LICENSE)" in text
    path = stating({"license": "gemma"}, {"licenses/model/POLICY": "rules"})
    assert "[NOTICE.txt](NOTICE.txt), [POLICY](POLICY)" in card(path)


def test_several_models_go_by_their_names(
    gguf: Path, llamapack: CommandLine, card: Card, tmp_path: Path
) -> None:
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    path = tmp_path / "both.llamafile"
    words = ["--model", f"small={gguf}", "--model", f"other={other}", "-o", path]
    assert llamapack("pack", *words).returncode == 0
    text = card(path)
    assert '"model": "small",' in text
    assert 'model="small",' in text


def test_parts(bundle: Path, llamapack: CommandLine, card: Card, tmp_path: Path) -> None:
    """The same card whether they are written or yet to be cut."""
    planned = card(bundle, "--repo", "acme/m", "--part-size", "130kB")
    assert llamapack("split", bundle, "--size", "130kB", "-o", tmp_path / "p").returncode == 0
    here = card(tmp_path / "p.cat1", "--repo", "acme/m")
    names = sorted(path.name for path in tmp_path.glob("p.cat*"))
    assert here == planned.replace("tiny.llamafile", "p")
    assert f"in\n{len(names)} parts of 130.0 kB" in here
    assert f"cat {' '.join(names)} > p\n" in here
    for path in tmp_path.glob("p.cat*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in here


def test_names_that_shells_would_misread(bundle: Path, card: Card, tmp_path: Path) -> None:
    path = bundle.rename(tmp_path / "it's $HOME; no.llamafile")
    text = card(path, "--repo", "acme/m")
    (block,) = [b for b in blocks(text) if b.heading.startswith("Linux")]
    words = f"printf '%s|' {block.lines[0]}\nprintf '%s|' {block.lines[2]}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True)
    url = "https://huggingface.co/acme/m/resolve/main/it%27s%20%24HOME%3B%20no.llamafile"
    assert done.stdout == f"curl|-L|-o|{path.name}|{url}|./{path.name}|"


def test_output(bundle: Path, llamapack: CommandLine, refused: Refused, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    done = llamapack("card", bundle, "-o", readme)
    assert (done.stdout, done.returncode) == (f"{readme}\n", 0)
    assert readme.read_text() == llamapack("card", bundle).stdout
    readme.write_text("precious")
    assert "exists already" in refused(llamapack("card", bundle, "-o", readme))
    assert readme.read_text() == "precious"
    assert llamapack("card", bundle, "-o", readme, "--force").returncode == 0
    assert readme.read_text().startswith("---\n")
    before = bundle.read_bytes()
    assert "an input" in refused(llamapack("card", bundle, "-o", bundle, "--force"))
    assert bundle.read_bytes() == before


def test_templates_of_ones_own(bundle: Path, card: Card, tmp_path: Path) -> None:
    (tmp_path / "testing.md.jinja").write_text("## Testing\n\nWe tried {{ card.file | sh }}.\n")
    text = card(bundle, "--template", tmp_path)
    assert "We tried tiny.llamafile." in text
    assert "## Checksums" in text
    (tmp_path / "README.md.jinja").write_text("Only {{ card.model.parameters }} weights.\n")
    assert ModelCard(card(bundle, "--template", tmp_path)).text == "\nOnly 1024 weights.\n"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "README.md.jinja:1: "),
        ("{{ card.nothing }}", "has no attribute 'nothing'"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ('{% include "absent.md.jinja" %}', "no card template absent.md.jinja"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ card.title | nonsense }}", "nonsense"),
    ],
)
def test_templates_that_fail(
    template: str, message: str, bundle: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (bundle.parent / "README.md.jinja").write_text(template)
    assert message in refused(llamapack("card", bundle, "--template", bundle.parent))


def test_refusals(gguf: Path, llamapack: CommandLine, refused: Refused, tmp_path: Path) -> None:
    assert "does not exist" in refused(llamapack("card", tmp_path / "no.llamafile"))
    done = llamapack("card", gguf)
    assert "is a GGUF file, not a bundle" in refused(done)
    assert f"TIP `llamapack pack {gguf}`" in done.stderr
    refused(llamapack("card", tmp_path))
    other = tmp_path / "other.llamafile"
    subprocess.run(["zip", "-q0", other, gguf], check=True)
    assert "was not made by llamapack" in refused(llamapack("card", other))
