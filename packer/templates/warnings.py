"""What `pack` says about chat templates: a packed model is wrong if its prompt is."""

from __future__ import annotations

from packer.io.console import warning
from packer.templates.found import ChatTemplate
from packer.templates.origin import of_model
from packer.templates.problems import problems
from packer.weights.collected import Inputs
from runtime.formats.gguf_header import Header


def warn(inputs: Inputs, template: bytes | None) -> None:
    """Print a WARNING line for everything that is wrong with the models' templates.

    Args:
        template: the bundle's own, in place of those of the models.
    """
    for model in inputs.models:
        weights = inputs.weights_of(model.file)
        header = weights.header()
        if model.facts.kind != "model" or (template is None and not _chats(header)):
            continue
        found = of_model(header, weights.source().open)
        if template is not None:
            found = ChatTemplate(template.decode()).of_model(found)
        for problem in problems(found):
            warning(f"{weights}: {problem}")


def _chats(header: Header) -> bool:
    """Whether a model can chat at all: those that embed and rank texts cannot, and have no template
    rightly."""
    architecture = header.metadata.get("general.architecture")
    pooling = header.metadata.get(f"{architecture}.pooling_type")
    return not pooling and header.metadata.get(f"{architecture}.attention.causal") is not False
