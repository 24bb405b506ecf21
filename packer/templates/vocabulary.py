"""The tokens of a GGUF's tokenizer, read without keeping all of them.

Keys and defaults: GGUF specification ("Tokenizer"), and `llama_vocab::impl::load` in
`src/llama-vocab.cpp` of llama.cpp v0.6.0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from runtime.formats.gguf_header import Header

_TOKENS = "tokenizer.ggml.tokens"
_PAIR_LIMIT = 64 << 20  # bytes of a vocabulary; real ones have 5
_STRING = struct.pack("<I", 8)  # type of elements
_LENGTH = struct.Struct("<Q")
_BOS_AND_EOS = {"llama": (1, 2), "gpt2": (11, 11), "bert": (101, None), "t5": (None, 1)}
"""Numbers of BOS and EOS by kind of tokenizer, where the header does not state them."""
_PRE_WITH_BOS = {
    *("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
    *("jina-v5-nano", "tekken", "chameleon"),
}
"""Pre-tokenizers whose models get a BOS where the header does not say."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one GGUF."""

    header: Header
    open: Callable[[], BinaryIO]
    """Opens the GGUF, to be read from its first byte on."""

    @classmethod
    def of(cls, header: Header, opened: Callable[[], BinaryIO]) -> Vocabulary | None:
        """The vocabulary of the GGUF with this header; None if it has no usable one."""
        start, end = header.pairs.get(_TOKENS, (0, 0))
        return cls(header, opened) if 0 < end - start <= _PAIR_LIMIT else None

    @property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts BOS in front of a prompt."""
        if "gemma4" in (self._kind, self._pre):
            return True
        return self._flag("bos", self._kind in ("llama", "bert") or self._pre in _PRE_WITH_BOS)

    @property
    def adds_eos(self) -> bool:
        """Whether it puts EOS after a prompt."""
        return self._flag("eos", self._kind == "t5")

    @cached_property
    def bos_and_eos(self) -> tuple[str, str]:
        """The texts of BOS and EOS; empty where there is none."""
        default_bos, default_eos = _BOS_AND_EOS.get(self._kind, (None, None))
        numbers = self._number("bos", default_bos), self._number("eos", default_eos)
        texts = dict.fromkeys(numbers, "")
        for number, token in enumerate(self._tokens()):
            if number in texts:
                texts[number] = token
        return texts[numbers[0]], texts[numbers[1]]

    def missing(self, words: list[str]) -> list[str]:
        """The words that are not tokens."""
        known = set(words).intersection(self._tokens())
        return [word for word in words if word not in known]

    @property
    def _kind(self) -> str:
        return str(self.header.metadata.get("tokenizer.ggml.model", ""))

    @property
    def _pre(self) -> str:
        return str(self.header.metadata.get("tokenizer.ggml.pre", ""))

    def _flag(self, name: str, default: bool) -> bool:
        value = self.header.metadata.get(f"tokenizer.ggml.add_{name}_token")
        return value if isinstance(value, bool) else default

    def _number(self, name: str, default: int | None) -> int | None:
        value = self.header.metadata.get(f"tokenizer.ggml.{name}_token_id", default)
        return value if isinstance(value, int) else None

    def _tokens(self) -> Iterator[str]:
        start, end = self.header.pairs[_TOKENS]
        with self.open() as file:
            _skip(file, start)
            data = _read(file, end - start)
        # The key and the type of its value, the type and the number of elements, these.
        offset = _LENGTH.size + len(_TOKENS) + 4
        if data[offset : offset + 4] != _STRING:
            return
        offset += 4 + _LENGTH.size
        while offset < len(data):
            (length,) = _LENGTH.unpack_from(data, offset)
            offset += _LENGTH.size
            yield data[offset : offset + length].decode("utf-8", "replace")
            offset += length


def _read(file: BinaryIO, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := file.read(count - len(data))):
        data += piece
    return bytes(data)


def _skip(file: BinaryIO, count: int) -> None:
    if file.seekable():
        file.seek(count, 1)
    else:
        while count and (piece := file.read(min(count, 1 << 20))):
            count -= len(piece)
