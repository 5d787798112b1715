"""The demo's digits: one accuracy wherever they run, and what fewer bits cost."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.demo import digits
from neurodeploy.demo.shipped import float_digits, shipped_digits
from neurodeploy.quantization import sweep
from sim_tests.slayer_oracle import import_slayer


@pytest.fixture(scope="module")
def shipped():
    return shipped_digits()


def slayer_counts(shipped):
    """Spikes of both layers in SLAYER's CPU forward pass, of the weights before rounding."""
    import_slayer()
    torch, slayer = digits._imported("torch", extra="lava"), digits._slayer()
    module = digits._build(torch, slayer)
    for block, weight in zip(module.children(), shipped.float_weights.values(), strict=True):
        held = torch.from_numpy(weight / np.float32(block.neuron.w_scale))
        with torch.no_grad():
            block.synapse.weight.copy_(held.reshape(block.synapse.weight.shape))
    module.eval()
    return digits.layer_spikes(module, shipped.inputs)


@pytest.mark.slow  # imports torch and SLAYER: 10 s and more
def test_slayer_and_engine_give_the_same_spikes_for_every_test_image(shipped):
    pytest.importorskip("torch", reason="needs torch and lava-dl: neurodeploy doctor --add lava-dl")
    spikes = slayer_counts(shipped)
    net = nd.load(shipped.network)
    recording = nd.run(net, shipped.inputs, record=("counts", "spikes"))
    for population, theirs in zip(net.populations[1:], spikes, strict=True):
        np.testing.assert_array_equal(recording[population.name].spikes, theirs)
        np.testing.assert_array_equal(recording[population.name].counts, theirs.sum(axis=1))
    assert len(shipped.labels) == 360
    assert int((digits.decide(spikes[-1]) == shipped.labels).sum()) == 353


@pytest.mark.slow
def test_lava_counts_what_the_engine_counts_for_every_test_image(shipped, lava):
    """And so do the float network's weights rounded to 8 bits again."""
    again = nd.quantize(
        float_digits(shipped.float_weights), nd.QuantConfig(8), shipped.inputs[::10]
    )
    for net, right in ((nd.load(shipped.network), 353), (again, None)):
        engine, other = (
            nd.run(net, shipped.inputs, backend=backend, record=("counts", "spikes"))
            for backend in ("engine", "lava")
        )
        assert nd.compare(engine, other).equal
        for population in net.populations:
            name = population.name
            np.testing.assert_array_equal(engine[name].counts, other[name].counts)
            np.testing.assert_array_equal(engine[name].spikes, other[name].spikes)
        hits = int((digits.decide(other.output) == shipped.labels).sum())
        assert hits == right if right else hits >= 350


def test_float_network_is_the_one_that_was_trained(shipped):
    net = float_digits(shipped.float_weights)
    output = nd.run(net, shipped.inputs[:, :-2], backend="float").output
    assert int((digits.decide(output) == shipped.labels).sum()) == 353


def test_fewer_bits_take_less_memory_and_energy_and_cost_little(shipped):
    """Calibrated on 36 of the images without labels; 4 bits and 2, no fine-tuning."""
    net, tested = float_digits(shipped.float_weights), np.arange(360) % 10 > 0
    found = sweep(
        net, [8, 4, 2], shipped.inputs[~tested], config=nd.QuantConfig(method="mse"),
        tests=shipped.inputs[tested], labels=shipped.labels[tested],
    )  # fmt: skip
    assert found.original_accuracy > 0.975
    assert all(row.costs.accuracy > found.original_accuracy - 0.03 for row in found.rows)
    for what in ("memory_bits", "joules", "coincidence"):
        figures = [getattr(row.costs, what) for row in found.rows]
        assert figures == sorted(figures, reverse=True), what
