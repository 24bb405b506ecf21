"""Byte-level BPE: learns merges from a text, and encodes as llama.cpp's "gpt-2" tokenizer does.

Every byte has a printable stand-in character, as in GPT-2's published vocabulary files, because
GGUF stores tokens as UTF-8 strings. Special tokens are matched before anything else.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
SPECIALS = (END_OF_TEXT, IM_START, IM_END)

# llama.cpp's expression for "gpt-2"; [^\W\d_] stands for \p{L}. What it leaves over (a lone
# newline before a word) becomes a piece of its own, hence the last alternative.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
_SPECIAL = re.compile("(" + "|".join(re.escape(text) for text in SPECIALS) + ")")


def _byte_characters() -> list[str]:
    """The stand-in character of each byte: itself where printable, else one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


_CHARACTER_OF_BYTE = _byte_characters()
_BYTE_OF_CHARACTER = {character: byte for byte, character in enumerate(_CHARACTER_OF_BYTE)}


def _pieces(text: str) -> list[str]:
    """The words of a text in stand-in characters; no merge crosses their borders."""
    return [
        "".join(_CHARACTER_OF_BYTE[byte] for byte in piece.encode())
        for piece in _PIECES.findall(text)
    ]


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """Joins every occurrence of the pair, from the left."""
    merged: list[str] = []
    index = 0
    while index < len(symbols):
        if tuple(symbols[index : index + 2]) == pair:
            merged.append(symbols[index] + symbols[index + 1])
            index += 2
        else:
            merged.append(symbols[index])
            index += 1
    return merged


@dataclass
class Tokenizer:
    """Vocabulary and merges, with encoding and decoding."""

    tokens: list[str]
    merges: list[tuple[str, str]]
    _id_of: dict[str, int] = field(init=False)
    _rank_of: dict[tuple[str, str], int] = field(init=False)
    _cache: dict[str, list[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._id_of = {token: number for number, token in enumerate(self.tokens)}
        self._rank_of = {pair: rank for rank, pair in enumerate(self.merges)}

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> "Tokenizer":
        """Learns a vocabulary of `size` tokens: all bytes, the most frequent merges, specials."""
        counts = Counter(piece for text in texts for piece in _pieces(text))
        words = {word: list(word) for word in counts}
        tokens = list(_CHARACTER_OF_BYTE)
        merges: list[tuple[str, str]] = []
        while len(tokens) < size - len(SPECIALS):
            pairs: Counter[tuple[str, str]] = Counter()
            for word, symbols in words.items():
                for pair in pairwise(symbols):
                    pairs[pair] += counts[word]
            # A total order, so that the result does not depend on how the text was iterated.
            best = min(pairs, key=lambda pair: (-pairs[pair], pair))
            merges.append(best)
            tokens.append("".join(best))
            words = {word: _merge(symbols, best) for word, symbols in words.items()}
        return cls(tokens + list(SPECIALS), merges)

    def id(self, token: str) -> int:
        """The number of a token that is in the vocabulary."""
        return self._id_of[token]

    def encode(self, text: str, noise: random.Random | None = None) -> list[int]:
        """Token numbers of a text; the spelling of a special token gives that token.

        With `noise` some merges are skipped at random: a model trained on such text knows words by
        their parts too, and so copes with typing errors and unknown words.
        """
        ids: list[int] = []
        for part in _SPECIAL.split(text):
            if part in SPECIALS:
                ids.append(self._id_of[part])
            else:
                for piece in _pieces(part):
                    if noise and noise.random() < 0.1:
                        ids.extend(self._merge_all(piece, noise))
                    else:
                        ids.extend(self._encode_piece(piece))
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        if piece not in self._cache:
            self._cache[piece] = self._merge_all(piece, None)
        return self._cache[piece]

    def _merge_all(self, piece: str, noise: random.Random | None) -> list[int]:
        symbols = list(piece)
        while len(symbols) > 1:
            known = [pair for pair in pairwise(symbols) if pair in self._rank_of]
            if noise:
                known = [pair for pair in known if noise.random() > 0.2]
            if not known:
                break
            symbols = _merge(symbols, min(known, key=self._rank_of.__getitem__))
        return [self._id_of[symbol] for symbol in symbols]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers; special tokens are left out."""
        text = "".join(self.tokens[i] for i in ids if self.tokens[i] not in SPECIALS)
        return bytes(_BYTE_OF_CHARACTER[character] for character in text).decode(errors="replace")
