"""A small Llama-architecture language model in PyTorch.

Module names are GGUF's tensor names, so that `state_dict()` can be written as it is. Rotary
positions turn neighbouring pairs of values (0,1), (2,3), …, as llama.cpp does for "llama": weights
trained this way need no permutation of Q and K on their way into a GGUF.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Config:
    """Sizes; rows are multiples of 256 so that every quantization of llama.cpp can be applied."""

    n_vocab: int = 768
    n_ctx: int = 1024
    n_embd: int = 256
    n_layer: int = 4
    n_head: int = 8
    n_head_kv: int = 4
    n_ff: int = 512
    rope_base: float = 10000.0
    rms_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.n_embd // self.n_head


class RMSNorm(nn.Module):
    """Scales vectors to a root mean square of one, then by learned weights."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes the last dimension."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotation(config: Config) -> tuple[Tensor, Tensor]:
    """Cosines and sines for every position and pair."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    positions = torch.arange(config.n_ctx, dtype=torch.float64)
    angles = torch.outer(positions, config.rope_base**-exponents)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns each neighbouring pair of values by its position's angle."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Block(nn.Module):
    """One layer: attention with grouped keys and values, then a gated feed-forward network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        kv_size = config.n_head_kv * config.head_dim
        self.attn_norm = RMSNorm(config.n_embd, config.rms_eps)
        self.attn_q = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.attn_k = nn.Linear(config.n_embd, kv_size, bias=False)
        self.attn_v = nn.Linear(config.n_embd, kv_size, bias=False)
        self.attn_output = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.ffn_norm = RMSNorm(config.n_embd, config.rms_eps)
        self.ffn_gate = nn.Linear(config.n_embd, config.n_ff, bias=False)
        self.ffn_up = nn.Linear(config.n_embd, config.n_ff, bias=False)
        self.ffn_down = nn.Linear(config.n_ff, config.n_embd, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Adds what this layer has to say to the residual stream."""
        x = x + self._attend(self.attn_norm(x), cos, sin)
        h = self.ffn_norm(x)
        out: Tensor = self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x + out

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        shape = (batch, length, -1, self.config.head_dim)
        q = rotate(self.attn_q(x).view(shape).transpose(1, 2), cos, sin)
        k = rotate(self.attn_k(x).view(shape).transpose(1, 2), cos, sin)
        v = self.attn_v(x).view(shape).transpose(1, 2)
        group = self.config.n_head // self.config.n_head_kv
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.attn_output(y.transpose(1, 2).reshape(batch, length, -1))
        return out


class Model(nn.Module):
    """The whole network; the output matrix is the token embedding."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.n_vocab, config.n_embd)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.output_norm = RMSNorm(config.n_embd, config.rms_eps)
        cos, sin = rotation(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialize()

    def _initialize(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # Matrices that write to the residual stream start smaller, by depth.
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                depth = (2 * self.config.n_layer) ** -0.5 if last else 1.0
                nn.init.normal_(parameter, std=0.04 * depth)

    def hidden(self, ids: Tensor) -> Tensor:
        """Normalized vectors after the last layer, for (batch, length) token numbers."""
        length = ids.shape[1]
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, self.cos[:length], self.sin[:length])
        normalized: Tensor = self.output_norm(x)
        return normalized

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every token, from vectors of `hidden`."""
        return functional.linear(hidden, self.token_embd.weight)

    @torch.no_grad()
    def greedy(self, ids: list[int], stop: set[int], limit: int = 100) -> tuple[list[int], float]:
        """Most likely continuation, and the smallest lead in logits that a choice had."""
        answer: list[int] = []
        lead = float("inf")
        while len(answer) < limit and len(ids) + len(answer) < self.config.n_ctx:
            scores = self.logits(self.hidden(torch.tensor([ids + answer]))[0, -1])
            (best, second), (choice, _) = scores.topk(2)
            lead = min(lead, float(best - second))
            if int(choice) in stop:
                break
            answer.append(int(choice))
        return answer, lead
