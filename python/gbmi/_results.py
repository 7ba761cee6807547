"""What commands found, as Python's own types."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas
    import polars

#: Fields that are counts: digits in JSON, int here.
COUNTS = frozenset(
    ["correct", "upper", "total", "certified", "wrong", "undecided", "lost", "inputs", "right", "unexplained_dimension"]
)
#: Fields that are decimals, rounded down: float here.
DECIMALS = frozenset(["bound_decimal", "bound_over_true"])
_TRUSTED = "Trusted: gbmi's checker (the core and this family of rules), in exact arithmetic on the exact float32 weights."


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Counts as int, decimals as float, the rest as it is."""
    kinds = {**dict.fromkeys(COUNTS, int), **dict.fromkeys(DECIMALS, float)}
    return {name: kinds[name](x) if name in kinds and x not in (None, "") else x for name, x in row.items()}


class Figure:
    """A picture: SVG in a notebook, or in a file."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        # As wide as the page, at most.
        fits = re.sub(r'<svg width="\d+" height="\d+"', '<svg style="max-width:100%;height:auto"', self.svg, count=1)
        return f"<div>{fits}</div>"

    def save(self, path: "os.PathLike[str] | str") -> None:
        """Writes the SVG."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)

    def __repr__(self) -> str:
        return f"Figure({len(self.svg)} bytes of SVG)"


class Table(Sequence[Any]):
    """Rows by name, exact: counts are int, ``bound`` is ``"p/q"``, ``bound_decimal`` a float rounded down."""

    def __init__(self, rows: Sequence[dict[str, Any]], sort_by: Optional[str] = None) -> None:
        self.rows = [typed(row) for row in rows]
        self._sort_by = sort_by

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def _columns(self) -> dict[str, list[Any]]:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return {name: [row.get(name) for row in self.rows] for name in names}

    def to_pandas(self) -> pandas.DataFrame:
        """As a frame: counts and lengths are ``Int64`` (``object``, of int, beyond 2^63), decimals ``float64``."""
        import pandas

        frame = {}
        for name, column in self._columns().items():
            known = [x for x in column if x is not None]
            if known and all(type(x) is int for x in known):
                is_small = all(abs(x) < 2**63 for x in known)
                frame[name] = pandas.Series(column, dtype="Int64" if is_small else "object")
            elif known and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in known):
                frame[name] = pandas.Series(column, dtype="float64")
            else:
                frame[name] = pandas.Series(column, dtype="object")
        return pandas.DataFrame(frame)

    def to_polars(self) -> polars.DataFrame:
        """As a frame: counts and lengths are ``Int64`` (``String``, of digits, beyond 2^63), decimals ``Float64``."""
        import polars

        frame = {}
        for name, column in self._columns().items():
            if any(type(x) is int and abs(x) >= 2**63 for x in column):
                column = [None if x is None else str(x) for x in column]
            frame[name] = polars.Series(name, column, strict=False)
        return polars.DataFrame(frame)

    def _repr_html_(self) -> str:
        rows = self.rows
        if self._sort_by is not None:
            key = self._sort_by
            rows = sorted(rows, key=lambda row: (row.get(key) is None, row.get(key)))
        known = {name: [x for x in column if x is not None] for name, column in self._columns().items()}
        # What a row is about stands before its numbers.
        columns = sorted((name for name in known if known[name]), key=lambda name: not isinstance(known[name][0], str))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in columns) + "</tr>" for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows of {', '.join(self._columns())})"


def _shown(value: Any) -> str:
    """For reading: thousands apart, six digits, long texts cut."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return html.escape(text if len(text) <= 60 else text[:59] + "…")


class Verdict:
    """A certificate that was accepted: what is proved, of which network, and how long the proof is.

    Attributes
    ----------
    correct, upper, total : int
        At least ``correct`` and at most ``upper`` of ``total`` inputs are answered correctly.
    accuracy : fractions.Fraction
        ``correct / total``: the proved lower bound.
    is_exact : bool
        Do both sides meet?
    flops, int_ops : int
        The proof's length.
    tally : dict of str to int
        FLOPs by what they are for.
    family, strategy, arithmetic : str
        The rules' family; a label; what was checked in.
    rules : list of str
        Through which the proof went.
    unexplained_dimension : int
    margin : fractions.Fraction
        By more than this; 0 if not asked for.
    network_sha256 : str
    """

    def __init__(self, found: dict[str, Any]) -> None:
        row = typed(found)
        self.correct: int = row["correct"]
        self.total: int = row["total"]
        self.upper: int = self.total if row["upper"] is None else row["upper"]
        self.flops: int = row["flops"]
        self.int_ops: int = row["int_ops"]
        self.tally: dict[str, int] = row["tally"]
        self.family: str = row["family"]
        self.strategy: str = row["strategy"]
        self.arithmetic: str = row["arithmetic"]
        self.rules: list[str] = row["rules"]
        self.unexplained_dimension: int = row["unexplained_dimension"]
        self.margin = Fraction(row.get("margin") or 0)
        self.network_sha256: str = row["network_sha256"]
        self.task: Any = row["task"]
        self.seconds: float = row["seconds"]

    @property
    def accuracy(self) -> Fraction:
        """The proved lower bound of the accuracy."""
        return Fraction(self.correct, self.total)

    @property
    def is_exact(self) -> bool:
        """Is the accuracy enclosed from both sides alike?"""
        return self.correct == self.upper

    def _claim(self) -> str:
        by = f" by more than {self.margin}" if self.margin else ""
        if self.is_exact:
            many = f"exactly {self.correct:,}"
        elif self.upper < self.total:
            many = f"at least {self.correct:,} and at most {self.upper:,}"
        else:
            many = f"at least {self.correct:,}"
        return f"{many} of all {self.total:,} inputs are answered correctly{by}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(ACCEPTED: {self._claim()}, in {self.flops:,} FLOPs)"

    def _repr_html_(self) -> str:
        # Rounded down.
        decimal = self.correct * 10**9 // self.total
        rows = [
            ("accuracy", f"{'=' if self.is_exact else '≥'} {self.accuracy} ≥ {decimal // 10**9}.{decimal % 10**9:09}"),
            ("task", str(self.task)),
            ("sha256", self.network_sha256),
            ("strategy", f"{self.strategy} (a label)"),
            ("rules", f"{self.family}: {', '.join(self.rules)}"),
            ("length", f"{self.flops:,} FLOPs, {self.int_ops:,} integer operations"),
            ("dimension", f"{self.unexplained_dimension:,} unexplained"),
            ("checked", f"in {self.arithmetic} arithmetic, {self.seconds:.3f} s"),
        ]
        cut = [(name, text if len(text) <= 90 else text[:89] + "…") for name, text in rows]
        body = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in cut)
        return f"<p><b>ACCEPTED</b> {html.escape(self._claim())}</p><table>{body}</table><p><small>{_TRUSTED}</small></p>"


class Proof(Verdict):
    """A proof that was found, and its certificate, which anyone can check again."""

    def __init__(self, found: dict[str, Any], certificate: bytes) -> None:
        super().__init__(found)
        #: The certificate, as its file has it.
        self.certificate = certificate

    def save(self, path: "os.PathLike[str] | str") -> None:
        """Writes the certificate: ``gbmi check`` of the command line reads it too."""
        with open(path, "wb") as file:
            file.write(self.certificate)


class Frontier(Table):
    """Proofs from the shortest to the longest, each with a higher bound than all shorter ones."""

    def __init__(self, rows: Sequence[dict[str, Any]], svg: str, certificates: list[bytes]) -> None:
        super().__init__(rows)
        #: Those of the frontier's own proofs, in order.
        self.certificates = certificates
        self._figure = Figure(svg)

    def plot(self) -> Figure:
        """Accuracy proved against the proof's length."""
        return self._figure


class Explanation:
    """Where a proof loses inputs: ``data`` as docs/outputs.md has it, ``rows`` by query and maximum, a ``figure``."""

    def __init__(self, data: dict[str, Any], rows: Table, figure: Figure) -> None:
        self.data = data
        self.rows = rows
        self.figure = figure

    def replacements(self) -> Table:
        """What each rule loses: the proof once more, with one rule made exact at a time."""
        return Table(self.data["replacements"])

    def _repr_html_(self) -> str:
        return f"{self.figure._repr_html_()}{self.replacements()._repr_html_()}"

    def __repr__(self) -> str:
        return f"Explanation({self.data['lost']} of {self.data['total']} inputs are lost)"


class Inspection:
    """Singular values and sizes of a network's circuits: ``data`` as docs/outputs.md has it.

    ``circuits`` are float64 arrays, of a one-layer, one-head Max-of-n network: ``qk`` (d_vocab, d_vocab), scores of keys
    by query, in units of softmax exponents; ``ov`` and ``direct`` (d_vocab, d_vocab), logits by token and by query.
    """

    def __init__(
        self, data: dict[str, Any], circuits: dict[str, npt.NDArray[np.float64]], figures: dict[str, Figure]
    ) -> None:
        self.data = data
        self.circuits = circuits
        self.figures = figures

    def __repr__(self) -> str:
        return f"Inspection(of {', '.join(self.data)}; {len(self.figures)} figures)"


class Evaluation:
    """Right inputs counted in floating point: no proof."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.correct = int(found["correct"])
        self.total = int(found["total"])
        #: Were inputs drawn at random?
        self.sampled: bool = found["sampled"]

    @property
    def accuracy(self) -> float:
        """The share of those looked at."""
        return self.correct / self.total

    def __repr__(self) -> str:
        drawn = " drawn" if self.sampled else ""
        return f"Evaluation({self.correct:,} of {self.total:,} inputs{drawn}, in floating point)"


class WrongInputs:
    """Inputs answered wrongly, each shown wrong in exact arithmetic.

    Attributes
    ----------
    tokens : int64 array, (k, n_ctx)
        The tokens up to the read-out; -1 behind it.
    right, answers : int64 arrays, (k,)
        The right answer, and the strongest wrong one.
    margins : float64 array, (k,)
        The right answer's logit less the other's is at most this; the exact bound, rounded down. At most 0.
    wrong_at_least, wrong_at_most : int
        How many there are in all.
    is_complete : bool
        Was every input looked at, and every wrong one listed?
    """

    def __init__(self, found: dict[str, Any], n_ctx: int) -> None:
        inputs = found["inputs"]
        self.tokens: npt.NDArray[np.int64] = np.full((len(inputs), n_ctx), -1, dtype=np.int64)
        for row, wrong in enumerate(inputs):
            self.tokens[row, : len(wrong["tokens"])] = wrong["tokens"]
        self.right: npt.NDArray[np.int64] = np.array([wrong["right"] for wrong in inputs], dtype=np.int64)
        self.answers: npt.NDArray[np.int64] = np.array([wrong["answer"] for wrong in inputs], dtype=np.int64)
        margins = [_rounded_down(Fraction(wrong["margin"])) for wrong in inputs]
        self.margins: npt.NDArray[np.float64] = np.array(margins, dtype=np.float64)
        self.wrong_at_least = int(found["wrong_at_least"])
        self.wrong_at_most = int(found["wrong_at_most"])
        self.is_complete: bool = found["complete"]

    def __len__(self) -> int:
        return len(self.tokens)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each: ``tokens`` (tuples), ``right``, ``answer`` (int64), ``margin`` (float64)."""
        import pandas

        columns = {"right": self.right, "answer": self.answers, "margin": self.margins}
        frame = pandas.DataFrame(columns)
        frame.insert(0, "tokens", [tuple(int(t) for t in row if t >= 0) for row in self.tokens])
        return frame

    def __repr__(self) -> str:
        return f"WrongInputs({len(self):,} listed; {self.wrong_at_least:,} to {self.wrong_at_most:,} in all)"


def _rounded_down(number: Fraction) -> float:
    """The largest float that is at most this."""
    near = float(number)
    return near if Fraction(near) <= number else float(np.nextafter(near, -np.inf))
