"""What `transformers` makes of texts with a model that embeds, and a tiny random reranker.

    PYTHON kinds_reference.py MODEL DIR

It runs in the environment of ci/convert-env. It reads texts as JSON on stdin, prints their
embeddings, and writes into DIR a classifier with MODEL's vocabulary.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification


@torch.inference_mode()
def embeddings(folder: Path, texts: list[str]) -> list[list[float]]:
    """Means over the tokens, of length 1, as sentence-transformers computes them."""
    model: Any = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for text in texts:
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        found.append(torch.nn.functional.normalize(states.mean(0), dim=0).tolist())
    return found


def main(folder: Path, reranker: Path) -> None:
    print(json.dumps(embeddings(folder, json.load(sys.stdin))))
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(reranker)
    for file in folder.glob("*token*"):
        shutil.copy(file, reranker)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
