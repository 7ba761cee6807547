"""Models: folders of two files, made from what Python has."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _gbmi
from ._errors import Declined, Error, refusal
from ._run import path as _path
from ._run import run

#: A task: its name, or an object as docs/tasks.md has them.
Task = Union[str, Mapping[str, Any]]
_WIDENED = ("float16", "bfloat16")


class Model:
    """A network and its task, exactly as their files say.

    Attributes
    ----------
    path : str
        The folder (or the safetensors file) that commands read.
    sha256 : str
        The digest of everything that defines function and task.
    task : str or dict
        The task, as in ``config.json``.
    n_ctx, d_vocab, d_vocab_out : int
        Tokens of an input, values of a token, values of an answer.
    total : int
        The number of inputs (of pairs of an input and a read-out, for tasks with several).

    >>> import gbmi
    >>> model = gbmi.Model.bundled()
    >>> model.n_ctx, model.d_vocab, model.total
    (4, 64, 16777216)
    """

    def __init__(self, path: "os.PathLike[str] | str") -> None:
        self.path = _path(path)
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        is_model, text = _gbmi.describe(self.path)
        described = json.loads(text)
        if not is_model:
            raise refusal(described)
        self.sha256: str = described["network_sha256"]
        self.task: Union[str, dict[str, Any]] = described["task"]
        self.n_ctx: int = described["n_ctx"]
        self.d_vocab: int = described["d_vocab"]
        self.d_vocab_out: int = described["d_vocab_out"]
        self.total = int(described["total"])

    @classmethod
    def load(cls, path: "os.PathLike[str] | str") -> Model:
        """The model in a folder with ``model.safetensors`` and ``config.json``.

        Raises
        ------
        Error
            The files cannot be read.
        Declined
            The network or its task is not supported: all reasons at once, in ``reasons``.

        >>> model = gbmi.Model.load("my_model")  # doctest: +SKIP
        """
        return cls(path)

    @classmethod
    def bundled(cls) -> Model:
        """The Max-of-4 model that gbmi is shipped with: 64 tokens, one layer, one head."""
        folder, path = _temporary(_gbmi.BUNDLED)
        _gbmi.save_bundled(path)
        return cls._within(folder, path)

    @classmethod
    def from_transformer_lens(cls, model: Any, task: Task) -> Model:
        """A trained ``HookedTransformer`` (TransformerLens 2, 3) or ``TransformerBridge`` (4).

        Weights are copied from whatever device they are on: float32 as it is, float16 and bfloat16 widened, which is
        exact. ``task`` says what the right answers are: TransformerLens does not know.

        Raises
        ------
        Declined
            The network is not one that proofs are about; float64 weights, which float32 does not hold.

        >>> model = gbmi.Model.from_transformer_lens(hooked, task="max_of_n")  # doctest: +SKIP
        """
        parameters = getattr(model, "tl_named_parameters", model.named_parameters)
        config = dict(model.cfg.to_dict())
        return cls.from_state_dict(dict(parameters()), {**config, "task": task})

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any], config: Mapping[str, Any]) -> Model:
        """Tensors by TransformerLens's names (torch tensors or arrays), and a configuration with a ``task``.

        The causal mask's buffers may be among them; another mask is declined.

        Raises
        ------
        Declined
            As :meth:`from_transformer_lens`.

        >>> config = {**hooked.cfg.to_dict(), "task": "max_of_n"}  # doctest: +SKIP
        >>> model = gbmi.Model.from_state_dict(hooked.state_dict(), config)  # doctest: +SKIP
        """
        folder, path = _temporary("model")
        weights = {name: tensor for name, tensor in state_dict.items() if not _is_causal_mask(name, tensor)}
        arrays = {name: _array(name, tensor) for name, tensor in weights.items()}
        _gbmi.save_tensors(os.path.join(path, "model.safetensors"), arrays)
        with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
            json.dump(dict(config), file, indent=1, default=str)
        return cls._within(folder, path)

    @classmethod
    def from_checkpoint(
        cls,
        file: "os.PathLike[str] | str",
        config: "os.PathLike[str] | str",
        *,
        zero_biases: bool = False,
    ) -> Model:
        """A ``state_dict`` or checkpoint that ``torch.save`` wrote, read without torch: nothing in it is executed.

        ``config`` is the path of a ``config.json``; with ``zero_biases`` absent biases are zeros.

        >>> model = gbmi.Model.from_checkpoint("model.ckpt", "config.json")  # doctest: +SKIP
        """
        folder, path = _temporary("model")
        arguments = [_path(file), f"--config={os.fspath(config)}", f"--out={path}"]
        run("import", *arguments, *(["--zero-biases"] if zero_biases else []))
        return cls._within(folder, path)

    @classmethod
    def _within(cls, folder: tempfile.TemporaryDirectory[str], path: str) -> Model:
        model = cls(path)
        # Removed with the model.
        model._folder = folder
        return model

    def save(self, folder: "os.PathLike[str] | str") -> None:
        """Writes the model's files into a folder, for the command line and for a sceptic.

        >>> gbmi.Model.bundled().save("model")  # doctest: +SKIP
        """
        source = self.path if os.path.isdir(self.path) else os.path.dirname(self.path) or "."
        os.makedirs(folder, exist_ok=True)
        names = ["config.json", "model.safetensors"]
        if isinstance(self.task, dict) and isinstance(self.task.get("labels"), str):
            names.append(self.task["labels"])
        for name in names:
            whole = self.path if name == "model.safetensors" and os.path.isfile(self.path) else None
            shutil.copyfile(whole or os.path.join(source, name), os.path.join(folder, name))

    def is_same(self, sha256: Optional[str]) -> None:
        """Raises :class:`Error` if a verdict is about another network: the files have changed since they were read."""
        if sha256 is not None and sha256 != self.sha256:
            reason = f"{self.path} is another network than when it was loaded: load it again"
            raise Error({"code": "failed", "at": "network", "expected": self.sha256, "found": sha256, "reason": reason})

    def __repr__(self) -> str:
        return (
            f"Model(task={self.task!r}, d_vocab={self.d_vocab}, n_ctx={self.n_ctx}, "
            f"sha256={self.sha256[:12]}…, path={self.path!r})"
        )


def _temporary(name: str) -> tuple[tempfile.TemporaryDirectory[str], str]:
    """A folder of this name, for as long as what it is in."""
    folder = tempfile.TemporaryDirectory(prefix="gbmi-")
    path = os.path.join(folder.name, name)
    os.mkdir(path)
    return folder, path


def _is_causal_mask(name: str, tensor: Any) -> bool:
    """Is this one of the buffers of the causal mask, which is part of the theorems?"""
    if name.endswith(".attn.IGNORE"):
        return bool(float(tensor) == -np.inf)
    if not name.endswith(".attn.mask"):
        return False
    mask = np.asarray(tensor.detach().cpu() if hasattr(tensor, "detach") else tensor)
    return mask.dtype == np.bool_ and mask.ndim == 2 and bool((mask == np.tril(np.ones_like(mask))).all())


def _array(name: str, tensor: Any) -> npt.NDArray[np.float32]:
    """A tensor as a contiguous float32 array; nothing is rounded."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if str(tensor.dtype).rsplit(".", 1)[-1] in _WIDENED:
            tensor = tensor.float()
        tensor = tensor.numpy()
    array = np.asarray(tensor)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype != np.float32:
        found = str(array.dtype)
        reason = f"unsupported model at {name}: expected float32, float16 or bfloat16, found {found}"
        expected = "float32, float16 or bfloat16"
        raise Declined({"code": "model", "at": name, "expected": expected, "found": found, "reason": reason})
    return np.ascontiguousarray(array)
