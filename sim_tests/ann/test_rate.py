"""The rate form: the engine's spikes are those of a torch simulation; counts stand for shares."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:Using padding=.same.:UserWarning")  # torch's own

from .oracle import many_steps  # noqa: E402
from .random_networks import NAMES, ready  # noqa: E402

STEPS = 12
RATES = [name for name in NAMES if name != "maps"]


def held(inputs, net, steps):
    """Present each input for some steps."""
    shown = inputs.numpy().reshape(len(inputs), 1, *net.input.shape)
    return np.broadcast_to(shown, (len(inputs), steps, *net.input.shape))


@pytest.mark.parametrize("name", RATES)
def test_engine_equals_torch_in_the_same_integers(name):
    module, inputs = ready(name)
    net = nd.convert_ann(module, inputs, to="rate", steps=STEPS, measure=False)
    shown = held(inputs, net, STEPS)
    wanted = many_steps(net, net.input.transform(shown[:, 0].astype(np.float64)), STEPS)
    rec = nd.run(net, shown, drain=True, record=("spikes", "v"))
    for population in net:
        record, first = rec[population.name], net.hops(population.name)
        sent = record.v if population.neuron.is_readout else record.spikes
        found = sent[:, first : first + STEPS]
        assert np.array_equal(found, wanted[population.name]), population.name


def test_at_depth_1_a_count_is_within_half_a_spike_of_its_share():
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(10, 40), torch.nn.ReLU(), torch.nn.Linear(40, 3))
    inputs = torch.rand(60, 10)
    net = nd.convert_ann(module, inputs, to="rate", steps=32, percentile=100, measure=False)
    rec = nd.run(net, held(inputs, net, 32), drain=True, record=("spikes",))
    first, neuron = net.populations[1], net.populations[1].neuron
    payloads = net.input.transform(inputs.double().numpy()).astype(np.int64)
    current = payloads @ net.projections[0].synapse.weight.T.astype(np.int64)
    current = np.trunc(current * 2.0**neuron.input_exponent) + 64 * np.asarray(neuron.bias)
    share = np.clip(current / (64 * neuron.threshold), 0, None)
    counts = rec[first.name].spikes[:, 1:33].sum(axis=1)
    within = (current >= 0) & (share <= 1)  # a neuron cannot send more than one a step
    assert within.mean() > 0.4
    assert np.abs(counts - 32 * share)[within].max() <= 0.5
    assert not counts[current < -neuron.threshold * 64].any()


@pytest.mark.parametrize("name", ["dense", "length", "residual"])
def test_more_steps_come_nearer_to_the_floats(name):
    module, inputs = ready(name)
    errors = []
    for steps in (4, 16, 64):
        net = nd.convert_ann(module, inputs, to="rate", steps=steps, percentile=100)
        errors.append(next(iter(net.audit)).effect.output_relative_error)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.15


def test_a_voltage_never_leaves_24_bits_while_an_input_is_shown():
    for name in RATES:
        module, inputs = ready(name)
        net = nd.convert_ann(module, inputs, to="rate", steps=STEPS, measure=False)
        rec = nd.run(net, held(inputs, net, STEPS), drain=True)
        assert not any(sum((rec[p.name].overflows() or {}).values()) for p in net), name


def test_binary_maps_are_refused():
    module, inputs = ready("maps")
    with pytest.raises(nd.NeurodeployError, match=r"binary map is no rate; give to=.graded."):
        nd.convert_ann(module, inputs, to="rate")
