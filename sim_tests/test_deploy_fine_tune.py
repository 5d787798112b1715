"""Training further for a target is one way among others: measured, named, and taken if it helps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.exporting.trained_for_target import resets_to_zero
from neurodeploy.network import FloatLIF
from sim_tests.test_deploy import soft, spikes

pytest.importorskip("torch")


def floats(reset="subtract"):
    """`soft` before it was rounded, as snnTorch's Leaky has its resets."""
    neuron = FloatLIF(voltage_keep=0.9, threshold=120.0, reset=reset, reset_time="after")
    made = soft()
    return replace(
        made,
        populations=(made.input, *(replace(p, neuron=neuron) for p in made.populations[1:])),
        projections=tuple(
            replace(p, synapse=replace(p.synapse, weight=p.synapse.weight.astype(np.float32)))
            for p in made.projections
        ),
    )


@pytest.fixture(scope="module")
def both():
    """A network of soft resets for netx, whose neurons have none, with and without training."""
    net, taught, shown = floats(), spikes(24), spikes(32)[24:]
    plain, tuned = (
        nd.deploy(
            net, "netx", inputs=shown, calibration=taught, verified=False, fine_tune=fine_tune
        )
        for fine_tune in (False, True)
    )
    return net, shown, plain, tuned


def test_the_way_that_loses_less_is_taken(both):
    _, _, plain, tuned = both
    assert tuned.steps[0].name == "fine-tune"
    assert "'a', 'b' reset to 0, taught by its own messages on 24 samples" in tuned.steps[0].says
    assert not tuned.left
    assert tuned.change.loss < plain.change.loss
    assert all(p.neuron.reset == "zero" for p in tuned.network.populations[1:])


def test_its_effect_is_what_an_independent_run_measures(both):
    net, shown, _, tuned = both
    old = nd.run(net, shown, backend="float", record=("spikes",)).output
    new = nd.run(tuned.network, shown, steps=52, record=("spikes",)).output[:, 2:]
    assert tuned.change.effect.differing == np.count_nonzero(old != new) > 0
    noted = [entry for entry in tuned.network.audit if entry.element == "network"]
    assert any("trained further in the target's 8-bit integers" in e.reason for e in noted)


def test_a_network_without_a_float_form_is_refused():
    with pytest.raises(UnsupportedError, match=r"population 'a': .* no float form"):
        nd.deploy(soft(), "netx", inputs=spikes(4), verified=False, fine_tune=True)


def test_resets_that_subtract_become_resets_to_0():
    factors = {"a": np.linspace(0.5, 1, 30)}
    a, b = resets_to_zero(floats(), factors).populations[1:]
    assert (a.neuron.reset, a.neuron.reset_time) == ("value", "before")
    np.testing.assert_array_equal(a.neuron.threshold, (120 * factors["a"]).astype(np.float32))
    assert b.neuron.reset == "subtract"
