"""What `transformers` makes of texts with an embedding model in float32: the mean over the tokens.

    PYTHON embeddings.py CHECKPOINT

Reads a list of texts as JSON on stdin, and prints a list of vectors of length 1.
"""

from __future__ import annotations

import json
import sys

import torch
from transformers import AutoModel, AutoTokenizer


@torch.inference_mode()
def main(checkpoint: str) -> None:
    torch.set_num_threads(1)  # More of them wait for each other on busy machines.
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    vectors = []
    for text in json.load(sys.stdin):
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vectors.append(torch.nn.functional.normalize(states.mean(0), dim=0).tolist())
    print(json.dumps(vectors))


if __name__ == "__main__":
    main(sys.argv[1])
