"""Bits for each population within a budget, and what a network costs."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError
from neurodeploy.network import ALIF, Dense, Network, Population, Projection, Source
from neurodeploy.quantization import Budget, sweep, within_budget
from neurodeploy.quantization.costs import Meter, synaptic_memory

from .test_quantize import recurrent, spikes

CONFIG = nd.QuantConfig(8, method="mse")


def wide():
    return recurrent(neurons=24, outlier=30.0)


def test_memory_is_what_a_placement_holds_split_synapses_included():
    net = wide()
    for split in (0.0, 0.5):
        fixed = nd.quantize(net, nd.QuantConfig(4, method="mse", split=split))
        place = nd.fit(fixed)
        words = sum(used["synapse words"] for part in place.partitions for used in part.used)
        assert sum(synaptic_memory(fixed).values()) == 64 * words
        parallel = len(fixed.projections) - len(net.projections)
        assert (parallel > 0) == (split > 0)
        if not parallel:
            without = words
    assert words > without


@pytest.mark.parametrize("split", [0.0, 0.5])
def test_energy_is_the_profile_s_dynamic_energy(split):
    """The profile stands above this room; parallel synapses are counted once in both."""
    net, inputs = wide(), spikes(4, steps=30)
    fixed = nd.quantize(net, nd.QuantConfig(4, method="mse", split=split), inputs)
    costs = Meter(net, inputs)(fixed)
    recording = nd.run(fixed, inputs, steps=inputs.shape[1] + 2, record=("counts", "spikes"))
    profile = nd.profile(recording, chip="loihi2")
    assert costs.joules == pytest.approx(profile.dynamic_joules)
    assert costs.synops == pytest.approx(profile.synops)
    sent = {p.name: recording[p.name].counts.mean(axis=0).ravel() for p in fixed.populations}
    by_hand = sum(fixed.fan_out(p) @ sent[p.source] for p in fixed.projections)
    assert costs.synops == pytest.approx(by_hand)
    assert (len(fixed.projections) > 3) == bool(split)


def test_neurons_without_a_float_form_keep_a_budget_too():
    neuron = ALIF(1024, 205, 400, 600, 64, 30)
    rng = np.random.default_rng(0)
    layers = [(2 * rng.integers(-60, 60, s)).astype(np.int32) for s in ((20, 6), (4, 20))]
    net = Network(
        (Population("in", (6,), Source()), Population("a", (20,), neuron),
         Population("b", (4,), neuron)),
        (Projection("in", "a", Dense(layers[0])), Projection("a", "b", Dense(layers[1]))),
    )  # fmt: skip
    inputs = spikes(4, steps=30)
    full = Meter(net, inputs)(nd.quantize(net, nd.QuantConfig(8), inputs))
    assert full.coincidence == full.agreement == 1
    made = within_budget(net, Budget(memory_bits=full.memory_bits - 1), nd.QuantConfig(8), inputs)
    assert made.costs.memory_bits < full.memory_bits
    assert made.network.populations == net.populations


@pytest.mark.parametrize("what", ["memory_bits", "joules"])
def test_budget_is_kept_and_no_more_is_given_up_than_the_last_step(what):
    net, inputs = wide(), spikes(4, steps=30)
    meter = Meter(net, inputs)
    full, least = (
        getattr(meter(nd.quantize(net, nd.QuantConfig(bits, method="mse"), inputs)), what)
        for bits in (8, 2)
    )
    limit = type(full)((full + least) / 2)
    told = []
    made = within_budget(
        net, Budget(**{what: limit}), CONFIG, inputs, progress=lambda *now: told.append(now)
    )
    assert getattr(made.costs, what) <= limit < full
    done, most = zip(*told, strict=True)
    assert set(most) == {7 + 2 * 7 + 2 * 6}  # widths everywhere, populations alone, steps
    assert list(done) == sorted(done)
    assert (done[0], done[-1]) == (1, most[-1])
    assert len(done) > 7 + 2 * 7
    assert {name for name, _ in made.config.population_bits} == {"a", "b"}
    assert made.network == nd.quantize(net, made.config, inputs)
    assert made.costs == meter(made.network)
    with pytest.raises(NetworkError, match="is the least reachable"):
        within_budget(net, Budget(**{what: type(full)(1e-12)}), CONFIG, inputs)


def test_loss_is_kept_and_memory_taken_where_it_allows():
    net, inputs = wide(), spikes(8, steps=30)
    meter = Meter(net, inputs)
    full = meter(nd.quantize(net, CONFIG, inputs))
    told = []
    made = within_budget(
        net, Budget(loss=0.3), CONFIG, inputs, progress=lambda *now: told.append(now)
    )
    assert told[-1] == (33, 33)
    assert made.costs.loss <= 0.3
    assert made.costs.memory_bits < full.memory_bits


def test_loss_by_labels_is_of_accuracy():
    net, inputs = recurrent(), spikes(12)
    decided = nd.run(net, inputs, backend="float").output.sum(axis=1).argmax(axis=1)
    labels = decided.copy()
    labels[:6] = (labels[:6] + 1) % 4
    made = within_budget(net, Budget(loss=0.0), CONFIG, inputs, labels)
    assert made.costs.original_accuracy == 0.5
    assert made.costs.accuracy >= 0.5
    with pytest.raises(InputError, match="labels: 3"):
        within_budget(net, Budget(loss=0.0), CONFIG, inputs, labels[:3])


@pytest.mark.parametrize(
    "given", [{}, {"loss": 0.1, "joules": 1.0}, {"loss": -1}, {"loss": np.nan}]
)
def test_a_budget_is_one_number(given):
    with pytest.raises(NetworkError, match="budget: give one of memory, energy and loss"):
        Budget(**given)


def test_loss_that_no_width_keeps_is_refused_with_what_is_lost():
    net, inputs = recurrent(), spikes(12)
    decided = nd.run(net, inputs, backend="float").output.sum(axis=1).argmax(axis=1)
    with pytest.raises(NetworkError, match="is lost at 2 bits everywhere"):
        within_budget(net, Budget(loss=0.0), nd.QuantConfig(2, method="max"), inputs, decided)


@pytest.mark.parametrize("bits", [1, "ternary"])
def test_no_population_gets_more_bits_than_were_asked_for(bits):
    """There are none fewer than these, so a budget has nothing to choose."""
    with pytest.raises(NetworkError, match=f"budget: bits: {bits}; .* start at 2 to 8"):
        within_budget(recurrent(), Budget(loss=1.0), nd.QuantConfig(bits), spikes(2))


def test_sweep_measures_each_width_on_what_it_was_given():
    net, inputs, tests = wide(), spikes(6), spikes(8, seed=5)
    found = sweep(net, [8, 4, "ternary"], inputs, config=CONFIG, tests=tests)
    assert [row.bits for row in found.rows] == [8, 4, "ternary"]
    assert (found.samples, found.calibrated, found.held_out) == (8, 6, True)
    by_hand = Meter(net, tests)(nd.quantize(net, nd.QuantConfig(4, method="mse"), inputs))
    assert found.rows[1].costs == by_hand
    memory = [row.costs.memory_bits for row in found.rows]
    assert memory == sorted(memory, reverse=True)
    assert found.rows[0].costs.coincidence > found.rows[2].costs.coincidence
    assert found.front
    for row in found.front:
        assert not any(
            o.right >= row.right and o.costs.memory_bits < row.costs.memory_bits for o in found.rows
        )
    with pytest.raises(InputError, match="name each width once"):
        sweep(net, [8, 8], inputs)
