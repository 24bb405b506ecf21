"""The template fields of old cards: which prompts they make."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.cards import GEMMA_CARD
from helpers.conversations import model, prompt_of, system, user
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.templates.legacy import LegacyTemplates, to_jinja
from packer.templates.origin import of_card
from packer.templates.template import ChatTemplate, Conversation
from runtime.errors import InputError

TURNS = [system("S"), user("Q"), model("A"), user("R")]


def prompt(jinja: str, *, eos: str = "", generate: bool = True, **only: int) -> str:
    turns = TURNS[only.get("first", 0) : only.get("end", 4)]
    conversation = Conversation(turns, add_generation_prompt=generate)
    return prompt_of(ChatTemplate(jinja, eos=eos), conversation)


@pytest.fixture
def gemma_card(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(GEMMA_CARD)
    return path


def test_gemma_s_old_card(gemma_card: Path) -> None:
    jinja = of_card(gemma_card)
    assert prompt(jinja) == (
        "<start_of_turn>system\nS<end_of_turn>\n<start_of_turn>user\nQ<end_of_turn>\n"
        "<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nR<end_of_turn>\n"
        "<start_of_turn>model\n"
    )
    assert prompt(jinja, first=1, end=2) == (
        "<start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n"
    )
    assert prompt(jinja, first=1, end=2, generate=False) == "<start_of_turn>user\nQ<end_of_turn>\n"


LLAMA_3 = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nR<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
CHATML = (
    "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
    "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n"
)
CASES = {
    "a line end that YAML's block lost": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{{prompt}}<|eot_id|>"
        "{{history}}<|start_header_id|>{{char}}<|end_header_id|>\n",
        "<|start_header_id|>{{name}}<|end_header_id|>\n\n{{message}}<|eot_id|>\n",
        LLAMA_3,
    ),
    "line ends of turns": (
        "<|im_start|>system\n{{prompt}}<|im_end|>\n{{history}}<|im_start|>{{char}}\n",
        "<|im_start|>{{name}}\n{{message}}<|im_end|>\n",
        CHATML,
    ),
    "line ends between turns": (
        "<|im_start|>system\n{{ prompt }}<|im_end|>\n{{ history }}\n<|im_start|>{{ char }}\n",
        "<|im_start|>{{ name }}\n{{ message }}<|im_end|>",
        CHATML,
    ),
    "what the old web UI began with": (
        "{{prompt}}\n\n{{history}}\n{{char}}:\n",
        "{{name}}: {{message}}\n",
        "S\n\nUser: Q\nAssistant: A\nUser: R\nAssistant:",
    ),
    "no place for a system prompt": (
        "{{history}}\n<start_of_turn>{{char}}\n",
        "<start_of_turn>{{name}}\n{{message}}<end_of_turn>\n",
        "<start_of_turn>user\nS\nQ<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n"
        "<start_of_turn>user\nR<end_of_turn>\n<start_of_turn>model\n",
    ),
    "command-r": (
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{prompt}}<|END_OF_TURN_TOKEN|>{{history}}"
        "<|START_OF_TURN_TOKEN|><|{{char}}_TOKEN|>\n",
        "<|START_OF_TURN_TOKEN|><|{{name}}_TOKEN|>{{message}}<|END_OF_TURN_TOKEN|>\n",
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Q<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>A<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>R<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    ),
    "no turns": (
        "[INST] {{prompt}} [/INST]",
        None,
        "[INST] S\nQ [/INST]A</s>[INST] R [/INST]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_fields_become_prompts(case: str) -> None:
    prompt_template, history_template, expected = CASES[case]
    jinja = to_jinja(LegacyTemplates(prompt_template, history_template), "card")
    assert prompt(jinja, eos="</s>") == expected


def test_cards_of_other_quantizers(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text("---\nprompt_template: '[INST] {prompt} [/INST]'\n---\n")
    assert prompt(of_card(path), first=1, end=2) == "[INST] Q [/INST]"


WRONG = {
    "a place that nobody knows": ("{{prompt}}{{history}}{{bot}}", "{{name}}{{message}}"),
    "no history": ("{{prompt}}", "{{name}}{{message}}"),
    "history twice": ("{{history}}{{history}}", "{{message}}"),
    "turns without their template": ("{{history}}{{char}}", None),
    "turns without a message": ("{{history}}{{char}}", "{{name}}"),
    "nothing at all": ("Hello", None),
    "system prompt behind the turns": ("{{history}}{{prompt}}", "{{message}}"),
    "far too long": ("{{history}}" + "x" * 100_000, "{{message}}"),
}


@pytest.mark.parametrize("case", WRONG)
def test_fields_that_make_no_template(case: str) -> None:
    with pytest.raises(InputError, match="card: its `prompt_template` and `history_template`"):
        to_jinja(LegacyTemplates(*WRONG[case]), "card")


def test_a_card_without_the_fields(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text("---\nlicense: mit\n---\n# A model\n")
    with pytest.raises(InputError, match="has no `prompt_template`"):
        of_card(path)


quick = settings(deadline=None, max_examples=50)

# Markers as models have them; what could be taken for a place or a line end is drawn apart.
marker = st.text(st.sampled_from("<|>[]/# abcXYZ_ü'\"\\%"), max_size=12)
lines = st.sampled_from(["", "\n", "\n\n"])


@quick
@given(opening=marker, head=marker, tail=marker, separator=lines, gap=lines)
def test_every_field_lands_in_its_place(
    opening: str, head: str, tail: str, separator: str, gap: str
) -> None:
    start = f"{head}({{{{name}}}}){gap}"
    fields = LegacyTemplates(
        f"{opening}{{{{prompt}}}}{tail}{{{{history}}}}{separator}" + start.replace("name", "char"),
        f"{start}{{{{message}}}}{tail}",
    )
    jinja = to_jinja(fields, "card")

    def turn(name: str, content: str) -> str:
        return f"{head}({name}){gap}{content}{tail}{separator}"

    answer = f"{head}(assistant){gap}"
    turns = turn("user", "Q") + turn("assistant", "A") + turn("user", "R")
    assert prompt(jinja) == f"{opening}S{tail}{turns}{answer}"
    assert prompt(jinja, generate=False) == f"{opening}S{tail}{turns}"


@quick
@given(
    st.text(max_size=60) | st.sampled_from(["{{history}}", "{{prompt}}{{history}}{{char}}"]),
    st.none() | st.text(max_size=40) | st.just("{{name}}: {{message}}"),
)
def test_any_text_makes_a_template_or_an_error(prompt_template: str, history: str | None) -> None:
    try:
        jinja = to_jinja(LegacyTemplates(prompt_template, history), "card")
    except InputError:
        return
    assert all(mark in prompt(jinja) for mark in ("S", "Q", "A", "R"))
