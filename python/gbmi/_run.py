"""Commands of gbmi, run in this process."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Optional

from tqdm.auto import tqdm

from . import _gbmi
from ._errors import Error, refusal

#: Work that takes less than so many seconds shows no progress.
DELAY = 1.0


class _Bar:
    """How far a command is, in a terminal or a notebook."""

    def __init__(self) -> None:
        self._bar: Optional[tqdm[Any]] = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(total=total or None, delay=DELAY, leave=False, unit="step")
        if self._bar.total != (total or None):
            self._bar.reset(total=total or None)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def flags(**options: object) -> list[str]:
    """Arguments by name, as the command line has them: nothing for None and False."""
    args = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        flag = "--" + name.rstrip("_").replace("_", "-")
        args += [flag] if value is True else [f"{flag}={value}"]
    return args


def run(command: str, *args: str, progress: bool = False, allowed: tuple[str, ...] = ()) -> Any:
    """What a command prints with ``--json``; its refusal is raised, unless its output is of an allowed kind."""
    bar = _Bar() if progress else None
    show: Optional[Callable[[int, int], object]] = bar
    try:
        code, stdout, stderr = _gbmi.call([command, *args, "--json"], show)
    finally:
        if bar is not None:
            bar.close()
    try:
        value = json.loads(stdout)
    except ValueError:
        reason = stderr.strip() or "gbmi said nothing"
        raise Error({"code": "failed", "reason": reason}) from None
    if code != 0 and type(value).__name__ not in allowed:
        raise refusal(value)
    return value


def path(value: "os.PathLike[str] | str") -> str:
    """A path that is no flag, whatever its name."""
    text = os.fspath(value)
    return os.path.join(".", text) if text.startswith("-") else text
