"""Makes tiny random models as `transformers` saves them, and what it computes with them.

    PYTHON tiny_models.py DIR

It runs in the environment of ci/convert-env, which has PyTorch; the tests themselves do without.
DIR then holds `llama`, `gemma2` (float32 checkpoints with SentencePiece vocabularies), `adapter`
(PEFT, of `llama`), and `expected.json`: per model prompts, greedy tokens and log-probabilities.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

CORPUS = Path(__file__).parents[4] / "ci" / "demo_model" / "conversations.txt"
PROMPT = "What is a llamafile? "
TEXTS = (PROMPT, "Two  words, and 3 numbers: 12 345.", "Grüße, 世界!", " leading blank\nnew line")
STEPS = 64
POSITIONS = (0, 9, 31, 63)
"""Of the 64 steps, those whose log-probabilities are kept."""
_VOCABULARY = 512
_SHAPE = {
    "vocab_size": _VOCABULARY,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 512,
}


def _vocabulary(folder: Path, ids: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        input=str(CORPUS),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=_VOCABULARY,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
        num_threads=1,
        **ids,
    )
    (folder / "tokenizer.vocab").unlink()


def _tokenizer_config(folder: Path, kind: str, **more: Any) -> None:
    config = {
        "tokenizer_class": kind,
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        **more,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))


def _llama(folder: Path) -> PreTrainedModel:
    if not folder.exists():
        _vocabulary(folder, {"unk_id": 0, "bos_id": 1, "eos_id": 2})
        _tokenizer_config(folder, "LlamaTokenizer", legacy=True)
    config = LlamaConfig(**_SHAPE, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False)
    return LlamaForCausalLM(config)


def _gemma2(folder: Path) -> PreTrainedModel:
    if not folder.exists():
        ids = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
        pieces = {"pad_piece": "<pad>", "eos_piece": "<eos>", "bos_piece": "<bos>"}
        # As Gemma's own: no blank before the first word.
        _vocabulary(folder, {**ids, **pieces, "add_dummy_prefix": False})
        _tokenizer_config(
            folder, "GemmaTokenizer", bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
        )
    config = Gemma2Config(
        **_SHAPE, bos_token_id=2, eos_token_id=1, pad_token_id=0, query_pre_attn_scalar=64,
        sliding_window=32, attn_implementation="eager",
    )  # fmt: skip
    return Gemma2ForCausalLM(config)


def _randomize(model: PreTrainedModel, embedding: float, last_norm: float) -> None:
    """Weights that make the model's choices clear ones: those of a fresh model are nearly equal.

    Args:
        embedding: standard deviation of the embeddings.
        last_norm: what is added to the weights before the output, which makes logits larger.
    """
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data += 0.2 * torch.randn_like(parameter)
        elif "embed_tokens" in name:
            parameter.data.normal_(0, embedding)
        else:
            parameter.data.normal_(0, 2 * parameter.shape[-1] ** -0.5)
    model.model.norm.weight.data += last_norm


def _logprobs(model: Any, tokens: list[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
    return torch.log_softmax(logits.double(), dim=-1)


@torch.inference_mode()
def _greedy(model: Any, prompt: list[int], banned: list[int]) -> dict[str, Any]:
    """What follows a prompt, some tokens aside; and how sure each choice is."""
    tokens = list(prompt)
    kept: dict[int, list[float]] = {}
    margin = float("inf")
    for step in range(STEPS):
        found = _logprobs(model, tokens)
        if step in POSITIONS:
            kept[step] = [round(value, 6) for value in found.tolist()]
        found[banned] = float("-inf")
        best = torch.topk(found, 2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        tokens.append(int(best.indices[0]))
    return {
        "prompt": prompt, "banned": banned, "tokens": tokens[len(prompt) :], "logprobs": kept,
        "margin": margin,
    }  # fmt: skip


def _adapter(folder: Path, model: PreTrainedModel, base: Path) -> PeftModel:
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(
        r=8, lora_alpha=16, target_modules=names, task_type="CAUSAL_LM",
        base_model_name_or_path=str(base), init_lora_weights=False,
    )  # fmt: skip
    adapted = get_peft_model(model, config)
    adapted.save_pretrained(folder)
    return adapted


def main(folder: Path) -> None:
    torch.set_num_threads(1)  # More of them wait for each other on busy machines.
    expected: dict[str, Any] = {}
    # The least margins are many times the difference between two ways to compute the same: with
    # Gemma's activation, which ggml looks up in a table of 16-bit numbers, that is 0.007.
    models = (("llama", _llama, 0.25, 0.0, 0.002), ("gemma2", _gemma2, 0.02, 9.0, 0.02))
    for name, make, embedding, last_norm, margin in models:
        place = folder / name
        for seed in count(1):
            torch.manual_seed(seed)
            model = make(place).eval()
            _randomize(model, embedding, last_norm)
            tokenizer = AutoTokenizer.from_pretrained(place, use_fast=False)
            # Of a random model's bytes the engine's server would say that they are no text.
            pieces = tokenizer.sp_model
            kinds = (pieces.IsByte, pieces.IsControl, pieces.IsUnknown)
            banned = [n for n in range(_VOCABULARY) if any(kind(n) for kind in kinds)]
            expected[name] = _greedy(model, tokenizer(PROMPT).input_ids, banned)
            varied = len(set(expected[name]["tokens"])) > 4
            if varied and expected[name]["margin"] > margin:
                break
        model.save_pretrained(place, max_shard_size="2MB" if name == "llama" else "1GB")
        expected[name]["texts"] = {text: tokenizer(text).input_ids for text in TEXTS}
        if name == "llama":
            adapted = _adapter(folder / "adapter", model, place).eval()
            expected["adapter"] = _greedy(adapted, tokenizer(PROMPT).input_ids, banned)
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
