"""Numbers in a model's metadata, with the prefix of its architecture: one, or one per layer."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.gguf_header import Array, Header


@dataclass(frozen=True)
class Metadata:
    """The `ARCHITECTURE.…` keys of a header. What is of another type counts as absent."""

    header: Header

    @property
    def architecture(self) -> str:
        """`general.architecture`; empty if the header does not state it."""
        value = self.header.metadata.get("general.architecture")
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        """A number that holds for all layers."""
        return _number(self.header.metadata.get(f"{self.architecture}.{key}"))

    def per_layer(self, key: str, layers: int) -> list[int] | None:
        """A number for each layer, whether the header states one for all or an array of them."""
        value = self.header.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(value, Array):
            one = _number(value)
            return None if one is None else [one] * layers
        found = [_number(element) for element in value.values or ()]
        numbers = [number for number in found if number is not None]
        return numbers[:layers] if layers <= len(numbers) == len(found) else None

    def is_array(self, key: str) -> bool:
        """Whether the header states one value per layer."""
        return isinstance(self.header.metadata.get(f"{self.architecture}.{key}"), Array)

    @property
    def vocabulary(self) -> int:
        """Tokens."""
        tokens = self.header.metadata.get("tokenizer.ggml.tokens")
        return tokens.length if isinstance(tokens, Array) else self.number("vocab_size") or 0


def _number(value: object) -> int | None:
    # Arrays of layers that are windowed are of the type bool.
    return int(value) if isinstance(value, int) and value >= 0 else None
