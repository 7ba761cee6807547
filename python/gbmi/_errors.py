"""What is raised where the command line would not say ACCEPTED."""

from __future__ import annotations

from typing import Any, Optional


class Error(Exception):
    """A file or an argument that gbmi cannot use (exit code 3 of the command line).

    ``code`` stays, where the words may change; ``at``, ``expected`` and ``found`` are texts, or None where there is
    nothing to say; ``reasons`` has all that is in the way of a configuration, each with the same three.

    >>> import gbmi
    >>> try:
    ...     gbmi.Model.load("nowhere")
    ... except gbmi.Error as error:
    ...     print(error.verdict, error.code)
    ERROR unreadable
    """

    verdict = "ERROR"

    def __init__(self, refused: dict[str, Any]) -> None:
        self.code: str = refused["code"]
        self.at: Optional[str] = refused.get("at")
        self.expected: Optional[str] = refused.get("expected")
        self.found: Optional[str] = refused.get("found")
        self.reason: str = refused["reason"]
        self.reasons: list[dict[str, Optional[str]]] = refused.get("reasons", [])
        super().__init__(self.reason)

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("code", "at", "expected", "found", "reason", "reasons")
        return type(self), ({name: getattr(self, name) for name in names},)


class Rejected(Error):
    """A certificate that does not prove its claim about the model, or a bound that was not reached (exit code 1)."""

    verdict = "REJECTED"


class Declined(Error):
    """A model, a claim or an amount of work that is not supported or not allowed (exit code 2)."""

    verdict = "DECLINED"


def refusal(refused: dict[str, Any]) -> Error:
    """The exception of a refusal in the shape of docs/outputs.md."""
    kinds = {"REJECTED": Rejected, "DECLINED": Declined}
    return kinds.get(refused["verdict"], Error)(refused)
