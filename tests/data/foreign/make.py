"""Writes what PyTorch writes into this folder, of the weights in model.safetensors: needs torch and safetensors.

    python3 tests/data/foreign/make.py
"""

import os
from dataclasses import dataclass

import torch
from safetensors.torch import load_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(0)
weights = load_file("model.safetensors")
# With the buffers of TransformerLens.
buffers = {"blocks.0.attn.mask": torch.zeros(0, 0, dtype=torch.bool), "blocks.0.attn.IGNORE": torch.tensor(-torch.inf)}
state_dict = weights | buffers


def prefixed(prefix):
    return {prefix + name: tensor for name, tensor in state_dict.items()}


def optimizer_state():
    parameters = [torch.nn.Parameter(tensor.clone()) for tensor in weights.values()]
    optimizer = torch.optim.AdamW(parameters)
    sum((parameter**2).sum() for parameter in parameters).backward()
    optimizer.step()
    # One tensor's is enough.
    state = optimizer.state_dict()
    return state | {"state": {0: state["state"][0]}}


lightning = {
    "epoch": 1,
    "global_step": 100,
    "pytorch-lightning_version": "2.5.0",
    "state_dict": prefixed("model."),
    "loops": {"fit_loop": {"state_dict": {}}},
    "callbacks": {},
    "optimizer_states": [optimizer_state()],
    "lr_schedulers": [],
    "hyper_parameters": {"lr": 0.001},
}
torch.save(lightning, "pl.ckpt")
torch.save(prefixed("_orig_mod."), "compiled.pth")
torch.save(state_dict, "old.pth", _use_new_zipfile_serialization=False)
torch.save({name: tensor.bfloat16() for name, tensor in weights.items() if ".b_" not in name}, "narrow.pth")
gpt2 = {"transformer.wte.weight": weights["embed.W_E"], "lm_head.weight": weights["unembed.W_U"].T}
torch.save({"model": gpt2, "model_args": {"n_layer": 1, "n_embd": 16}, "iter_num": 100}, "nanogpt.pth")


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


torch.save(Transformer(Config()), "pickled_whole.pth")
