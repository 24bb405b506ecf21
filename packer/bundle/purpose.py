"""What a model is for: the one judgement behind `.args`, `inspect`, cards and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.formats.gguf_header import Header
from runtime.formats.model_facts import MODEL, kind_of
from runtime.launch.flags import with_values

CHAT, VISION_CHAT, AUDIO_CHAT = "chat", "vision chat", "audio chat"
COMPLETION, EMBEDDING, RERANKER = "completion", "embedding", "reranker"
CHATS = frozenset([CHAT, VISION_CHAT, AUDIO_CHAT])

POOLING = "--pooling"
OPTIONS = {EMBEDDING: "--embeddings", RERANKER: "--reranking"}
"""The option without which the engine does not do what a model is for."""
_SPELLINGS = {option: purpose for purpose, option in OPTIONS.items()} | {
    "--embedding": EMBEDDING,
    "--rerank": RERANKER,
}
# With these words, the maker has chosen another use or another model.
_OTHER_USE = frozenset(["--chat", "--cli", "-m", "--model"])
_TEMPLATES = frozenset(["--chat-template", "--chat-template-file"])

# All of llama.cpp v0.6.0. include/llama.h, enum llama_pooling_type; 0 is one vector for each token.
_MEAN, _CLS, _LAST, _RANK = 1, 2, 3, 4
_ONE_VECTOR = frozenset([_MEAN, _CLS, _LAST, _RANK])
# llama_model::create_memory and llama_model_has_decoder in src/llama-model.cpp. Of encoders that
# are not in this list, converters state that their attention is not causal.
_ENCODERS = frozenset([
    "bert", "eurobert", "gemma-embedding", "gemma-embedding2", "jina-bert-v2", "jina-bert-v3",
    "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "t5encoder",
])  # fmt: skip
# Not causal either, but nothing that the server can use: llm_arch_is_diffusion in
# src/llama-arch.cpp, and the half of a speech model.
_NOT_SERVED = frozenset(["dream", "llada", "llada-moe", "rnd1", "wavtokenizer-dec"])
# For others than this architecture, `cls` is a layer in front of a classifier.
_CLASSIFIER, _JINA, _JINA_CLASSIFIER = "cls.output.weight", "jina-bert-v2", "cls.weight"


def purpose_of(
    header: Header,
    *,
    template: bool,
    words: Sequence[str] = (),
    projector: Mapping[str, object] | None = None,
) -> str | None:
    """What a model does for its users: one of the constants above.

    Args:
        header: of the model, or of its first shard.
        template: whether the GGUF or the bundle has a chat template.
        words: the arguments that it starts with, which win over the header.
        projector: metadata of the projector that it is used with.

    Returns:
        None for weights that are not a model, and for a model that the engine's server cannot use.
    """
    if kind_of(header) != MODEL:
        return None
    options = dict(with_values(words))
    found = _asked(options) or _stated(header)
    if found != COMPLETION or not (template or _TEMPLATES & options.keys()):
        return found
    if projector is None:
        return CHAT
    # Projectors from before there was audio state nothing.
    sees = projector.get("clip.has_vision_encoder", "clip.has_audio_encoder" not in projector)
    return VISION_CHAT if sees else AUDIO_CHAT


def options_of(header: Header, own: Sequence[str]) -> list[str]:
    """The words that `.args` needs for a model's purpose.

    Args:
        own: the words of the bundle's maker, which are neither repeated nor contradicted.
    """
    options = dict(with_values(own))
    if options.keys() & (_SPELLINGS.keys() | _OTHER_USE) or kind_of(header) != MODEL:
        return []
    found = _asked(options) or _stated(header)
    return [OPTIONS[found]] if found in OPTIONS else []


def missing_options(purpose: str | None, words: Sequence[str]) -> list[str]:
    """The option that a purpose needs, if the words of a start do not have it."""
    has_it = _SPELLINGS.keys() & dict(with_values(words)).keys()
    return [] if has_it or purpose not in OPTIONS else [OPTIONS[purpose]]


def pooling_of(header: Header, own: Sequence[str], known: str | None) -> list[str]:
    """The words of the bundle's maker that a model lacks to pool, to be put before `own`.

    Args:
        known: how it is known to pool, as a value of `--pooling`.
    """
    options = dict(with_values(own))
    is_decided = POOLING in options or options.keys() & _OTHER_USE or _asked(options) == RERANKER
    if known is None or is_decided or _pooling(header) is not None or _stated(header) == RERANKER:
        return []
    return [POOLING, known]


def lacks_pooling(header: Header, words: Sequence[str]) -> bool:
    """Whether a model is for embeddings, and neither it nor these words say how it pools: then the
    engine has a vector for each token, and OpenAI's API cannot give them."""
    stated = _pooling(header) is not None or POOLING in dict(with_values(words))
    return not stated and purpose_of(header, template=True, words=words) == EMBEDDING


def _asked(options: Mapping[str, str]) -> str | None:
    """The purpose that options ask for, if any."""
    asked = {_SPELLINGS[option] for option in options if option in _SPELLINGS}
    pooling = options.get(POOLING, "none")
    if RERANKER in asked or pooling == "rank":
        return RERANKER
    return EMBEDDING if asked or pooling != "none" else None


def _stated(header: Header) -> str | None:
    """The purpose by a model's header; COMPLETION of all that write text."""
    architecture = header.metadata.get("general.architecture")
    pooling = _pooling(header)
    if pooling in _ONE_VECTOR:
        return RERANKER if pooling == _RANK else EMBEDDING
    decides = any(key.startswith(f"{architecture}.decision.") for key in header.metadata)
    if decides or architecture in _NOT_SERVED:
        return None
    labels = f"{architecture}.classifier.output_labels" in header.metadata
    classifier = _JINA_CLASSIFIER if architecture == _JINA else _CLASSIFIER
    if labels or any(tensor.name == classifier for tensor in header.tensors):
        return RERANKER
    causal = header.metadata.get(f"{architecture}.attention.causal")
    return EMBEDDING if architecture in _ENCODERS or causal is False else COMPLETION


def _pooling(header: Header) -> int | None:
    """What the header states of pooling, as in enum llama_pooling_type."""
    found = header.metadata.get(f"{header.metadata.get('general.architecture')}.pooling_type")
    # -1, written as a number of 32 bits without a sign, states nothing.
    return found if isinstance(found, int) and found <= _RANK else None
