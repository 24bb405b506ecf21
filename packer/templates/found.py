"""A chat template with what it needs to be rendered, wherever it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from packer.templates import engine, limited
from packer.templates.environment import RenderError
from packer.templates.render import Conversation
from packer.templates.vocabulary import Vocabulary


@dataclass(frozen=True)
class ChatTemplate:
    """A template, and the tokens that its model knows."""

    text: str
    """Jinja."""
    tool_use: str | None = None
    """Jinja that takes its place in conversations with tools."""
    bos: str = ""
    eos: str = ""
    vocabulary: Vocabulary | None = None
    """That of the model; None if there is none to look into."""

    def prompts(self, conversations: Sequence[Conversation]) -> list[str | RenderError]:
        """What the engine makes of each conversation, BOS included, or why it refuses; where no
        engine runs, what Jinja alone makes of it. Within limits of time and memory."""
        program = engine.program()
        ask = partial(engine.prompts, program) if program else limited.prompts
        found: list[str | RenderError] = []
        for tools, some in groupby(conversations, lambda one: bool(self.tool_use and one.tools)):
            text = self.tool_use if self.tool_use and tools else self.text
            found += ask(text, list(some), bos=self.bos, eos=self.eos)
        return found

    def applied(self, prompt: str) -> str:
        """A prompt as the engine's `/apply-template` shows it: without what its tokenizer adds."""
        if self.vocabulary and self.vocabulary.adds_bos:
            prompt = prompt.removeprefix(self.bos)
        if self.vocabulary and self.vocabulary.adds_eos:
            prompt = prompt.removesuffix(self.eos)
        return prompt

    def in_one(self) -> str:
        """One Jinja text for both, with or without tools."""
        if self.tool_use is None or self.tool_use == self.text:
            return self.text
        # An empty print keeps the line ends around it, which block tags would eat.
        guard = "{{ '' }}"
        tools, plain = (text.removesuffix("\n") for text in (self.tool_use, self.text))
        return (
            f"{{% if tools %}}{guard}{tools}{guard}{{% else %}}{guard}{plain}{guard}{{% endif %}}"
        )

    def of_model(self, model: ChatTemplate) -> ChatTemplate:
        """This template with the tokens of a model."""
        return replace(self, bos=model.bos, eos=model.eos, vocabulary=model.vocabulary)
