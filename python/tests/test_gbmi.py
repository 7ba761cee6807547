"""Every function, every exception, on models that are small or bundled."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import gbmi
import numpy as np
import pytest

HERE = Path(__file__).resolve().parents[2]
TINY = HERE / "tests" / "data" / "tiny"
FAMILIES = HERE / "tests" / "data" / "families"


@pytest.fixture(scope="module")
def tiny():
    return gbmi.Model.load(TINY)


@pytest.fixture(scope="module")
def bundled():
    return gbmi.Model.bundled()


def tensors():
    """The tiny model's, as arrays."""
    data = (TINY / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    parts = {name: body[slice(*about["data_offsets"])] for name, about in header.items()}
    return {name: np.frombuffer(part, "<f4").reshape(header[name]["shape"]) for name, part in parts.items()}


def config():
    return json.loads((TINY / "config.json").read_text())


def test_a_proof_is_found_checked_and_saved(tiny, tmp_path):
    proof = gbmi.prove(tiny, strategy="exact")
    assert (proof.correct, proof.upper, proof.total) == (109, 109, 125)
    assert proof.accuracy == Fraction(109, 125) and proof.is_exact
    assert proof.flops == sum(proof.tally.values()) - proof.tally["integer"]
    assert proof.family == "levels" and "whole" in proof.rules
    assert proof.network_sha256 == tiny.sha256 and proof.margin == 0
    path = tmp_path / "cert.json"
    proof.save(path)
    for certificate in (path, str(path), proof, path.read_bytes()):
        verdict = gbmi.check(certificate, tiny)
        assert (verdict.correct, verdict.flops) == (109, proof.flops)
    rational = gbmi.check(proof, tiny, arithmetic="rational")
    assert (rational.correct, rational.arithmetic) == (109, "rational")
    assert "exactly 109 of all 125" in repr(proof)
    assert tiny.sha256 in proof._repr_html_() and "Trusted" in proof._repr_html_()


def test_the_same_bytes_on_any_number_of_threads(tiny):
    one, two = (gbmi.prove(tiny, "exact", threads=threads) for threads in (1, 2))
    assert one.certificate == two.certificate


def test_goals_and_margins(tiny):
    exact = gbmi.prove(tiny, "auto")
    short = gbmi.prove(tiny, target=Fraction(4, 5))
    assert short.accuracy >= Fraction(4, 5) and short.flops <= exact.flops
    assert gbmi.prove(tiny, target=0.8).flops == short.flops
    assert gbmi.prove(tiny, budget=exact.flops).flops <= exact.flops
    assert gbmi.prove(tiny, at_least=109, strategy="exact").correct == 109
    margin = gbmi.prove(tiny, "exact", margin=0.5)
    assert margin.margin == Fraction(1, 2) and margin.correct < 109
    one_sided = gbmi.prove(tiny, "exact", one_sided=True)
    assert one_sided.upper == 125 and not one_sided.is_exact
    with pytest.raises(gbmi.Rejected) as caught:
        gbmi.prove(tiny, at_least=110, strategy="exact")
    assert (caught.value.code, caught.value.at) == ("not_established", "--at-least")
    with pytest.raises(gbmi.Rejected):
        gbmi.prove(tiny, budget=10)


def test_rejected(tiny, bundled):
    proof = gbmi.prove(tiny, "exact")
    with pytest.raises(gbmi.Rejected) as caught:
        gbmi.check(proof, bundled)
    error = caught.value
    assert (error.code, error.at, error.verdict) == ("wrong_network", "network", "REJECTED")
    assert (error.expected, error.found) == (tiny.sha256, bundled.sha256)
    false = proof.certificate.replace(b'"109"', b'"110"')
    with pytest.raises(gbmi.Rejected) as caught:
        gbmi.check(false, tiny)
    assert caught.value.code == "not_established"
    with pytest.raises(gbmi.Rejected) as caught:
        gbmi.check(b"\x80\x04corrupt", tiny)
    assert caught.value.code == "malformed"
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, gbmi.Rejected) and again.code == "malformed"


def test_declined(tiny, bundled):
    with pytest.raises(gbmi.Declined) as caught:
        gbmi.prove(bundled, "brute-force", max_flops=1000)
    assert caught.value.code == "work"
    with pytest.raises(gbmi.Declined) as caught:
        gbmi.Model.from_state_dict(tensors(), {**config(), "n_layers": 5, "d_vocab": 1})
    error = caught.value
    assert error.code == "config" and len(error.reasons) == 2
    assert {reason["at"] for reason in error.reasons} == {"n_layers", "d_vocab"}
    doubles = {name: array.astype(np.float64) for name, array in tensors().items()}
    with pytest.raises(gbmi.Declined) as caught:
        gbmi.Model.from_state_dict(doubles, config())
    assert caught.value.found == "float64"
    later = gbmi.prove(tiny, "exact").certificate.replace(b'"gbmi":"3"', b'"gbmi":"4"')
    with pytest.raises(gbmi.Declined) as caught:
        gbmi.check(later, tiny)
    assert caught.value.code == "version"


def test_errors(tiny, tmp_path):
    with pytest.raises(gbmi.Error) as caught:
        gbmi.Model.load(tmp_path / "none")
    assert (caught.value.verdict, caught.value.code) == ("ERROR", "unreadable")
    with pytest.raises(gbmi.Error) as caught:
        gbmi.prove(tiny, "magic")
    assert caught.value.code == "usage"
    with pytest.raises(gbmi.Error) as caught:
        gbmi.check("-", tiny)
    assert caught.value.code == "unreadable"


def test_models_from_arrays_and_files(tiny, tmp_path):
    model = gbmi.Model.from_state_dict(tensors(), config())
    assert model.sha256 == tiny.sha256 and model.task == "max_of_n"
    assert (model.n_ctx, model.d_vocab, model.d_vocab_out, model.total) == (3, 5, 5, 125)
    mask = np.tril(np.ones((3, 3), dtype=bool))
    buffers = {"blocks.0.attn.mask": mask, "blocks.0.attn.IGNORE": np.array(-np.inf, dtype=np.float32)}
    assert gbmi.Model.from_state_dict({**tensors(), **buffers}, config()).sha256 == tiny.sha256
    with pytest.raises(gbmi.Declined):
        gbmi.Model.from_state_dict({**tensors(), "blocks.0.attn.mask": mask.T}, config())
    with pytest.raises(gbmi.Declined):
        gbmi.Model.from_state_dict({**tensors(), "blocks.0.attn.IGNORE": np.array(-1e5, dtype=np.float32)}, config())
    model.save(tmp_path / "copy")
    assert gbmi.Model.load(tmp_path / "copy").sha256 == tiny.sha256
    halves = {name: array.astype(np.float16) for name, array in tensors().items()}
    # All of these weights are float16's too, and widened as they are.
    assert gbmi.Model.from_state_dict(halves, config()).sha256 == tiny.sha256
    data = HERE / "tests" / "data" / "foreign"
    assert gbmi.Model.from_checkpoint(data / "pl.ckpt", data / "config.json").total > 0
    several = gbmi.Model.load(FAMILIES / "second_max_of_3_two_heads")
    assert several.task == {"name": "nth_max_of_n", "nth": 2}
    assert gbmi.prove(several).correct == 32706


def test_files_that_change_are_noticed(tiny, tmp_path, bundled):
    tiny.save(tmp_path / "model")
    model = gbmi.Model.load(tmp_path / "model")
    bundled.save(tmp_path / "model")
    with pytest.raises(gbmi.Error, match="another network"):
        gbmi.prove(model, "cubic")


def test_tables(tiny, bundled):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = gbmi.compare([tiny, bundled], ["brute-force", "cubic"])
    assert len(table) == 4 and table[0]["correct"] == 109
    frame = table.to_pandas()
    assert (str(frame.dtypes["correct"]), str(frame.dtypes["bound_decimal"])) == ("Int64", "float64")
    assert frame.dtypes["strategy"] == object
    other = table.to_polars()
    assert (other.schema["flops"], other.schema["bound_decimal"]) == (polars.Int64, polars.Float64)
    assert other["correct"].to_list() == frame["correct"].tolist() == [109, 109, 16763235, table[3]["correct"]]
    huge = gbmi.Table([{"total": str(64**20), "bound_decimal": "0.5"}])
    assert huge.to_pandas()["total"][0] == 64**20 and huge.to_polars()["total"][0] == str(64**20)
    assert "<td>16,763,235</td>" in table._repr_html_()
    names = [row["name"] for row in gbmi.strategies()]
    assert "exact" in names and len(names) == len(set(names)) == 108
    refused = gbmi.compare(gbmi.Model.load(FAMILIES / "group_S4_mlp"), ["exact", "cubic"])
    assert {row["strategy"]: row["verdict"] for row in refused} == {"exact": "ACCEPTED", "cubic": "DECLINED"}
    assert sorted(pandas.isna(refused.to_pandas()["correct"])) == [False, True]


def test_frontier_and_explanation(tiny, tmp_path):
    frontier = gbmi.frontier(tiny, published=True)
    assert len(frontier.certificates) == sum(row["certificate"] is not None for row in frontier)
    picture = frontier.plot()
    assert picture.svg.startswith("<svg") and picture._repr_svg_() == picture.svg
    picture.save(tmp_path / "frontier.svg")
    first = gbmi.check(frontier.certificates[0], tiny)
    assert first.correct == frontier[0]["correct"]
    explanation = gbmi.explain(frontier.certificates[0], tiny)
    assert sum(row["certified"] for row in explanation.rows) == first.correct
    assert explanation.figure.svg.startswith("<svg") and len(explanation.replacements()) > 0
    assert "<svg" in explanation._repr_html_()


def test_wrong_inputs(tiny, bundled):
    wrong = gbmi.wrong_inputs(tiny)
    assert len(wrong) == wrong.wrong_at_least == wrong.wrong_at_most == 16 and wrong.is_complete
    assert wrong.tokens.dtype == np.int64 and wrong.tokens.shape == (16, 3)
    assert (wrong.tokens.max(axis=1) == wrong.right).all() and (wrong.answers != wrong.right).all()
    assert wrong.margins.dtype == np.float64 and (wrong.margins <= 0).all()
    frame = wrong.to_pandas()
    assert list(frame.columns) == ["tokens", "right", "answer", "margin"] and frame["tokens"][0] == tuple(wrong.tokens[0])
    assert len(gbmi.wrong_inputs(bundled, limit=100)) == 100
    with_proof = gbmi.wrong_inputs(tiny, gbmi.prove(tiny, "exact"), limit=3)
    assert (with_proof.tokens == wrong.tokens[:3]).all() and not with_proof.is_complete


def test_inspect_and_evaluate(bundled):
    inspection = gbmi.inspect(bundled, figures=True)
    weights = dict(inspection.circuits)
    assert all(table.shape == (64, 64) and table.dtype == np.float64 for table in weights.values())
    values = np.linalg.svd(weights["ov"], compute_uv=False)
    assert np.allclose(values[:32], inspection.data["ov"]["singular_values"], rtol=1e-6)
    # Attention grows with the key.
    assert (weights["qk"][:, 63] > weights["qk"][:, 0]).all()
    assert set(inspection.figures) == {"qk", "ov"}
    found = gbmi.evaluate(bundled)
    assert (found.correct, found.total, found.sampled) == (16763235, 64**4, False)
    drawn = gbmi.evaluate(bundled, samples=1000, seed=1)
    assert drawn.total == 1000 and drawn.sampled and drawn.accuracy > 0.99


def test_coq_and_sweeps(tiny, tmp_path):
    gbmi.export_coq(gbmi.prove(tiny, "exact"), tiny, tmp_path / "theorem.v")
    assert "Theorem" in (tmp_path / "theorem.v").read_text()
    (tmp_path / "sweep.toml").write_text(f'strategies = ["exact", "cubic"]\nmodels = ["{TINY}"]\n')
    swept = [sys.executable, "-m", "gbmi._program", "sweep", "--config", "sweep.toml", "--out", "out", "--quiet"]
    subprocess.run(swept, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    table = gbmi.read_sweep(tmp_path / "out")
    assert {row["correct"] for row in table if row["strategy"] == "exact"} == {109}


def test_the_program_is_the_command_line(tmp_path):
    for program in ([sys.executable, "-m", "gbmi._program"], ["gbmi"]):
        said = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
        assert said.stdout == f"gbmi {gbmi.__version__}\n"
        refused = subprocess.run([*program, "check", "none.json"], cwd=tmp_path, capture_output=True)
        assert refused.returncode == 3


INTERRUPTED = """
import gbmi, sys
model = gbmi.Model.bundled()
print("ready", flush=True)
try:
    gbmi.frontier(model, progress=False)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    assert gbmi.check(gbmi.prove(model, "brute-force"), model).correct == 16763235
"""


def test_ctrl_c_stops_the_work(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert time.monotonic() - asked < 5
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert os.listdir(tmp_path) == []


def test_other_threads_run(tiny, bundled):
    proofs, ticks, done = [], [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(1)
            time.sleep(0.01)

    def work(model):
        proofs.append(gbmi.prove(model, "brute-force", progress=False).correct)

    ticker = threading.Thread(target=tick)
    workers = [threading.Thread(target=work, args=(model,)) for model in (tiny, bundled, bundled)]
    ticker.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    ticker.join()
    assert sorted(proofs) == [109, 16763235, 16763235]
    # Alone, it would tick a hundred times a second.
    assert len(ticks) > 5


#: What a notebook has instead of each command; None where the command line is the place for it.
FUNCTIONS = {
    "check": gbmi.check,
    "prove": gbmi.prove,
    "compare": gbmi.compare,
    "frontier": gbmi.frontier,
    "explain": gbmi.explain,
    "wrong": gbmi.wrong_inputs,
    "export-coq": gbmi.export_coq,
    "inspect": gbmi.inspect,
    "import": gbmi.Model.from_checkpoint,
    "evaluate": gbmi.evaluate,
    "report": gbmi.read_sweep,
    "strategies": gbmi.strategies,
    "sweep": None,
    "train": None,
    "man": None,
    "completions": None,
    "help": None,
}


def test_every_command_is_thought_of():
    said = subprocess.run(["gbmi", "--help"], capture_output=True, text=True, check=True).stdout
    lines = said.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert {line.split()[0] for line in lines} == set(FUNCTIONS)


def test_torch_is_not_imported():
    code = "import gbmi, sys; gbmi.Model.bundled(); assert not {'torch', 'transformer_lens', 'pandas', 'polars'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
