"""Models of the real library: `scripts/python` runs this where torch and transformer_lens are installed."""

import itertools
import time

import gbmi
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformer_lens")
pytestmark = pytest.mark.heavy

VOCABULARY, LENGTH = 16, 3


def make(**sizes):
    """A HookedTransformer, or where there is none a TransformerBridge."""
    try:
        from transformer_lens import HookedTransformer, HookedTransformerConfig

        return HookedTransformer(HookedTransformerConfig(**sizes))
    except ImportError:
        from transformer_lens.model_bridge import TransformerBridge

        return TransformerBridge.boot_native(sizes)


@pytest.fixture(scope="module")
def trained():
    """Max-of-3 on 16 tokens, a few hundred steps; the right answers that the library counts over all inputs."""
    torch.manual_seed(0)
    sizes = {"n_layers": 1, "n_heads": 1, "d_model": 16, "d_head": 16, "n_ctx": LENGTH, "d_vocab": VOCABULARY}
    model = make(**sizes, attn_only=True, normalization_type=None, device="cpu")
    inputs = torch.tensor(list(itertools.product(range(VOCABULARY), repeat=LENGTH)))
    answers = inputs.max(dim=1).values
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        batch = torch.randint(len(inputs), (128,))
        loss = torch.nn.functional.cross_entropy(model(inputs[batch])[:, -1], answers[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits = model.eval()(inputs)[:, -1]
    return model, int((logits.argmax(dim=1) == answers).sum())


def test_the_library_counts_what_is_proved(trained):
    hooked, correct = trained
    model = gbmi.Model.from_transformer_lens(hooked, task="max_of_n")
    assert model.total == VOCABULARY**LENGTH and correct > model.total // 2
    proof = gbmi.prove(model, "exact")
    assert proof.is_exact and proof.correct == correct
    assert gbmi.check(proof, model).correct == correct
    assert len(gbmi.wrong_inputs(model)) == model.total - correct
    assert gbmi.evaluate(model).correct == correct


def test_tasks_are_objects_too(trained):
    model = gbmi.Model.from_transformer_lens(trained[0], task={"name": "min_of_n"})
    assert gbmi.prove(model).correct < model.total // 2


def test_the_bundled_size_is_taken_over_soon():
    sizes = {"n_layers": 1, "n_heads": 1, "d_model": 32, "d_head": 32, "n_ctx": 4, "d_vocab": 64}
    hooked = make(**sizes, attn_only=True, normalization_type=None, device="cpu")
    gbmi.Model.from_transformer_lens(hooked, task="max_of_n")
    began = time.perf_counter()
    gbmi.Model.from_transformer_lens(hooked, task="max_of_n")
    taken = time.perf_counter() - began
    assert taken < 0.05, taken


def test_what_is_not_supported_is_declined():
    sizes = {"n_layers": 1, "n_heads": 1, "d_model": 8, "d_head": 8, "n_ctx": 3, "d_vocab": 8}
    hooked = make(**sizes, attn_only=False, d_mlp=8, act_fn="gelu", normalization_type=None, device="cpu")
    with pytest.raises(gbmi.Declined) as caught:
        gbmi.Model.from_transformer_lens(hooked, task="max_of_n")
    assert caught.value.code in ("config", "model")
