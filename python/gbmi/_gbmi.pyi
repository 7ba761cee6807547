"""The compiled part: gbmi's command line in-process, and arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Optional, Union

import numpy as np
import numpy.typing as npt

from os import PathLike

__all__ = [
    "BUNDLED",
    "__version__",
    "call",
    "circuits",
    "describe",
    "main",
    "save_bundled",
    "save_tensors",
]

__version__: str
BUNDLED: str

def call(
    args: Sequence[str], on_steps: Optional[Callable[[int, int], object]] = None
) -> tuple[int, str, str]: ...
def describe(path: Union[str, PathLike[str]]) -> tuple[bool, str]: ...
def save_bundled(folder: Union[str, PathLike[str]]) -> None: ...
def save_tensors(
    path: Union[str, PathLike[str]], tensors: Mapping[str, npt.NDArray[np.float32]]
) -> None: ...
def circuits(
    path: Union[str, PathLike[str]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def main(args: Sequence[str]) -> int: ...
