"""Writes pickled_whole.pth: a two-layer model that torch.save pickled whole, as `gbmi import` must decline it.

    python3 tests/data/pickled_whole.py tests/data/pickled_whole.pth
"""

import sys
from dataclasses import dataclass

import torch


@dataclass
class Config:
    n_layers: int = 2
    d_model: int = 2
    d_vocab: int = 3


class Transformer(torch.nn.Module):
    def __init__(self, cfg: Config):
        super().__init__()
        self.cfg = cfg
        self.embed = torch.nn.Embedding(cfg.d_vocab, cfg.d_model)
        self.blocks = torch.nn.ModuleList(torch.nn.Linear(cfg.d_model, cfg.d_model) for _ in range(cfg.n_layers))
        self.unembed = torch.nn.Linear(cfg.d_model, cfg.d_vocab)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.save(Transformer(Config()), sys.argv[1])
