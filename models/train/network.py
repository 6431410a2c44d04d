"""Whisper's network at a small size, with a CTC head on the encoder for training.

Architecture: Radford et al., "Robust speech recognition via large-scale weak supervision",
2022. The CTC term (Graves et al., 2006) is what gets a network this small off the plateau
where the decoder ignores the audio.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models.features import FULL_WINDOW_FRAMES, MEL_BANDS
from models.train import tokens

MAX_TOKENS = 448


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a network."""

    width: int = 192
    heads: int = 3
    encoder_layers: int = 5
    decoder_layers: int = 2


class Attention(nn.Module):
    """Multi-head attention; `source` is the audio in the decoder's second attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)  # a key bias has no effect in softmax
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, source: Tensor, causal: bool = False) -> Tensor:
        query = self._split(self.query(x)) * (x.shape[-1] // self.heads) ** -0.5
        key, value = (self._split(part) for part in self.key_value(source).chunk(2, dim=-1))
        # Plain products: in bfloat16 on a CPU their gradient takes a third of the time of
        # torch.nn.functional.scaled_dot_product_attention.
        with torch.autocast("cpu", enabled=False):
            scores = query @ key.transpose(-1, -2)
            if causal:
                later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
                scores = scores.masked_fill(later, -torch.inf)
            mixed = scores.softmax(-1) @ value
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    """A pre-norm Transformer layer, with cross-attention in the decoder."""

    def __init__(self, width: int, heads: int, crosses: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width) if crosses else None
        self.cross = Attention(width, heads) if crosses else None
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, 4 * width)
        self.mlp_out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, audio: Tensor | None = None) -> Tensor:
        h = self.attention_norm(x)
        x = x + self.attention(h, h, causal=audio is not None)
        if self.cross is not None and self.cross_norm is not None and audio is not None:
            x = x + self.cross(self.cross_norm(x), audio)
        return x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x))))


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's encoder positions, shape (length, width)."""
    step = math.log(10_000) / (width // 2 - 1)
    rates = torch.exp(-step * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Whisper(nn.Module):
    """Audio features and previous tokens to token logits."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        width = size.width
        self.conv1 = nn.Conv1d(MEL_BANDS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(FULL_WINDOW_FRAMES // 2, width))
        self.encoder = nn.ModuleList(
            Layer(width, size.heads, False) for _ in range(size.encoder_layers)
        )
        self.encoder_norm = nn.LayerNorm(width)
        self.ctc = nn.Linear(width, tokens.OUTPUTS)
        self.embedding = nn.Embedding(tokens.TRAINED, width)
        self.token_positions = nn.Parameter(torch.randn(MAX_TOKENS, width) * 0.02)
        self.decoder = nn.ModuleList(
            Layer(width, size.heads, True) for _ in range(size.decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(width)
        nn.init.normal_(self.embedding.weight, std=0.05)

    def encode(self, features: Tensor) -> Tensor:
        """features: (batch, 80, frames). Returns (batch, ceil(frames / 2), width)."""
        x = gelu(self.conv2(gelu(self.conv1(features)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for layer in self.encoder:
            x = layer(x)
        return self.encoder_norm(x)

    def decode(self, codes: Tensor, audio: Tensor) -> Tensor:
        """codes: (batch, length). Returns logits over the trained outputs."""
        x = self.embedding(codes) + self.token_positions[: codes.shape[1]]
        for layer in self.decoder:
            x = layer(x, audio)
        return self.decoder_norm(x) @ self.embedding.weight[: tokens.OUTPUTS].T
