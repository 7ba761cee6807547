"""Compact, checked proofs of what a neural network does.

>>> import gbmi
>>> proof = gbmi.prove(gbmi.Model.bundled(), strategy="brute-force")
>>> proof.correct, proof.total
(16763235, 16777216)

Every function has the refusals, limits and numbers of the command line's command of that name (docs/commands.md).
Work runs beside other threads of Python; Ctrl-C stops it and leaves nothing half-written.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, Optional, Union

from . import _gbmi
from ._errors import Declined, Error, Rejected
from ._gbmi import __version__
from ._model import Model
from ._results import (
    Evaluation,
    Explanation,
    Figure,
    Frontier,
    Inspection,
    Proof,
    Table,
    Verdict,
    WrongInputs,
)
from ._run import flags as _flags
from ._run import path as _path
from ._run import run as _run

__all__ = [
    "Declined",
    "Error",
    "Evaluation",
    "Explanation",
    "Figure",
    "Frontier",
    "Inspection",
    "Model",
    "Proof",
    "Rejected",
    "Table",
    "Verdict",
    "WrongInputs",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export_coq",
    "frontier",
    "inspect",
    "prove",
    "read_sweep",
    "strategies",
    "wrong_inputs",
]

#: A bound: a number of inputs, or an accuracy.
Bound = Union[int, Fraction, float, str]
#: A certificate: a proof, its bytes, or the path of a file.
Certificate = Union[Proof, bytes, str, "os.PathLike[str]"]


def _bound(value: Optional[Bound]) -> Optional[str]:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, float):
        # Its digits, and no exponent.
        return f"{Decimal(repr(value)):f}"
    return None if value is None else str(value)


def _join(names: Union[str, Iterable[str], None]) -> Optional[str]:
    return names if isinstance(names, str) or names is None else ",".join(names)


def _read(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def _within(folder: str, certificate: Certificate) -> str:
    """The path of a certificate, which stands in the folder if it has no file."""
    text = certificate.certificate if isinstance(certificate, Proof) else certificate
    if not isinstance(text, bytes):
        return _path(text)
    name = os.path.join(folder, "cert.json")
    with open(name, "wb") as file:
        file.write(text)
    return name


def prove(
    model: Model,
    strategy: Optional[str] = None,
    *,
    budget: Optional[int] = None,
    target: Optional[Bound] = None,
    at_least: Optional[Bound] = None,
    margin: Union[Fraction, float, str, None] = None,
    one_sided: bool = False,
    class_: Optional[str] = None,
    max_flops: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = True,
) -> Proof:
    """Finds a proof and checks it.

    Parameters
    ----------
    strategy
        A name of :func:`strategies`; by default a short proof from below for Max-of-n, else the exact accuracy.
    budget, target
        The best bound in at most so many FLOPs; the shortest proof of a bound (a number of inputs, or an accuracy).
    at_least
        Raise :class:`Rejected` unless this is proved.
    margin
        Answered correctly by more than this, in units of logits; rounded up to a multiple of 2^-48.
    one_sided
        Without a bound from above, where ``exact`` would have one.
    class_
        The class of strategies for a budget or a target.
    max_flops, threads
        Decline longer proofs; the result does not depend on threads.

    Raises
    ------
    Rejected
        What was asked for was not reached.
    Declined
        The network has no such proof, or it takes more work than is allowed.

    >>> import gbmi
    >>> proof = gbmi.prove(gbmi.Model.bundled(), "exact", progress=False)
    >>> proof.is_exact, float(proof.accuracy) > 0.999
    (True, True)
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        out = os.path.join(folder, "cert.json")
        options = _flags(
            strategy=strategy,
            budget=budget,
            target=_bound(target),
            at_least=_bound(at_least),
            margin=_bound(margin),
            one_sided=one_sided,
            class_=class_,
            max_flops=max_flops,
            threads=threads,
            out=out,
        )
        found = _run("prove", model.path, *options, progress=progress)
        model.is_same(found["network_sha256"])
        return Proof(found, _read(folder, "cert.json"))


def check(
    certificate: Certificate,
    model: Model,
    *,
    arithmetic: Literal["fixed", "rational"] = "fixed",
    max_flops: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = False,
) -> Verdict:
    """Re-derives the bound of a certificate from the model's weights, in exact arithmetic.

    Raises
    ------
    Rejected
        The certificate does not prove its claim about this model.
    Declined
        It is of another version, about what is not supported, or takes more work than is allowed.

    >>> import gbmi
    >>> model = gbmi.Model.bundled()
    >>> proof = gbmi.prove(model, "exact", progress=False)
    >>> gbmi.check(proof, model).correct == proof.correct
    True
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        options = _flags(arithmetic=arithmetic, max_flops=max_flops, threads=threads)
        found = _run("check", _within(folder, certificate), model.path, *options, progress=progress)
        model.is_same(found["network_sha256"])
        return Verdict(found)


def frontier(
    model: Model,
    *,
    published: bool = False,
    max_flops: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = True,
) -> Frontier:
    """The proofs that no shorter one matches, and the published strategies beside them.

    The rows are in order of length; ``certificates`` has the proofs. It takes a minute and a half for the bundled model.

    >>> gbmi.frontier(model).plot()  # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        options = _flags(published=published, max_flops=max_flops, threads=threads, out=folder, format="svg")
        rows = _run("frontier", model.path, *options, progress=progress)
        own = [_read(folder, row["certificate"]) for row in rows if row["certificate"] is not None]
        return Frontier(rows, _read(folder, "frontier.svg").decode(), own)


def compare(
    models: Union[Model, Iterable[Model]],
    strategies: Union[str, Iterable[str]] = "own",
    *,
    class_: Union[str, Iterable[str], None] = None,
    max_flops: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = True,
) -> Table:
    """Strategies side by side: names, ``"own"``, ``"published"`` or ``"all"``.

    A row for each model and strategy, with ``verdict``, ``correct``, ``bound``, ``flops`` and the rest of docs/outputs.md;
    what is refused has its reason in its row.

    >>> import gbmi
    >>> rows = gbmi.compare(gbmi.Model.bundled(), ["brute-force", "cubic"], progress=False)
    >>> [row["strategy"] for row in rows]
    ['brute-force', 'cubic']
    """
    several = [models] if isinstance(models, Model) else list(models)
    options = _flags(strategies=_join(strategies), class_=_join(class_), max_flops=max_flops, threads=threads)
    paths = [model.path for model in several]
    rows = _run("compare", *paths, *options, progress=progress, allowed=("list",))
    return Table(rows, sort_by="flops")


def explain(
    certificate: Certificate,
    model: Model,
    *,
    spend: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = True,
) -> Explanation:
    """Where a proof loses inputs: by rule, maximum, query and wrong answer; of an exact one, where the wrong ones lie.

    >>> import gbmi
    >>> model = gbmi.Model.bundled()
    >>> proof = gbmi.prove(model, "cubic", progress=False)
    >>> gbmi.explain(proof, model, spend=1, progress=False).data["certified"] == str(proof.correct)
    True
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        options = _flags(spend=spend, threads=threads, out=folder)
        data = _run("explain", _within(folder, certificate), model.path, *options, progress=progress)
        rows = list(csv.DictReader(_read(folder, "explain.csv").decode().splitlines()))
        numbers = [{name: int(x) if x else None for name, x in row.items()} for row in rows]
        return Explanation(data, Table(numbers), Figure(_read(folder, "explain.svg").decode()))


def wrong_inputs(
    model: Model,
    certificate: Optional[Certificate] = None,
    *,
    limit: int = 20_000,
    max_flops: Optional[int] = None,
    threads: Optional[int] = None,
    progress: bool = True,
) -> WrongInputs:
    """Inputs answered wrongly, at most ``limit``: of a certificate's blocks, where there are too many to look at each.

    >>> import gbmi
    >>> wrong = gbmi.wrong_inputs(gbmi.Model.bundled(), limit=100, progress=False)
    >>> wrong.tokens.shape, wrong.wrong_at_least
    ((100, 4), 13981)
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        about = [] if certificate is None else [_within(folder, certificate)]
        options = _flags(limit=limit, max_flops=max_flops, threads=threads)
        found = _run("wrong", *about, model.path, *options, progress=progress)
        return WrongInputs(found, model.n_ctx)


def evaluate(
    model: Model,
    *,
    samples: Optional[int] = None,
    seed: int = 0,
    threads: Optional[int] = None,
    progress: bool = True,
) -> Evaluation:
    """Counts right inputs in floating point, every one or so many drawn at random: no proof.

    >>> import gbmi
    >>> gbmi.evaluate(gbmi.Model.bundled(), progress=False).correct
    16763235
    """
    options = _flags(samples=samples, seed=seed if samples is not None else None, threads=threads)
    return Evaluation(_run("evaluate", model.path, *options, progress=progress))


def inspect(model: Model, *, figures: bool = False) -> Inspection:
    """A network's circuits, attention and neurons in numbers; of one-layer, one-head Max-of-n networks circuits as arrays.

    >>> import gbmi
    >>> gbmi.inspect(gbmi.Model.bundled()).circuits["qk"].shape
    (64, 64)
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        data = _run("inspect", model.path, *_flags(out=folder if figures else None))
        pictures = {
            name[: -len(".svg")]: Figure(_read(folder, name).decode())
            for name in sorted(os.listdir(folder))
            if name.endswith(".svg")
        }
    arrays = dict(zip(("qk", "ov", "direct"), _gbmi.circuits(model.path))) if "qk" in data else {}
    return Inspection(data, arrays, pictures)


def export_coq(certificate: Certificate, model: Model, path: "os.PathLike[str] | str") -> None:
    """Writes a certificate as a theorem for coqc: ``path`` ends in ``.v``, after letters, digits and ``_``.

    Raises :class:`Error` for a certificate whose rules ``proofs/`` does not have.

    >>> gbmi.export_coq(proof, model, "theorem.v")  # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as folder:
        _run("export-coq", _within(folder, certificate), model.path, *_flags(out=os.fspath(path)))


def read_sweep(folder: "os.PathLike[str] | str", *, threads: Optional[int] = None) -> Table:
    """The proofs of a sweep (``gbmi sweep``): a row for each model and proof, as ``results.csv`` of a report has them.

    >>> gbmi.read_sweep("results").to_pandas()  # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory(prefix="gbmi-") as out:
        _run("report", _path(folder), *_flags(out=out, threads=threads))
        rows = csv.DictReader(_read(out, "results.csv").decode().splitlines())
        return Table([{name: _cell(x) for name, x in row.items()} for row in rows])


def _cell(text: str) -> Any:
    return int(text) if text.isdigit() else text or None


def strategies() -> Table:
    """All strategies: name, class, cost and description.

    >>> import gbmi
    >>> len(gbmi.strategies()) > 100
    True
    """
    return Table(_run("strategies"))
