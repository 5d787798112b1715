"""The sigma-delta form: the engine's changes are those of a torch simulation of the stream."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:Using padding=.same.:UserWarning")  # torch's own

from .oracle import as_stream  # noqa: E402
from .random_networks import NAMES, ready  # noqa: E402

STREAMS = [name for name in NAMES if name != "maps"]


def slow(inputs, steps=24):
    """A stream that moves slowly between a few random inputs."""
    inputs = inputs.double().numpy()
    at = np.linspace(0, 3, steps)
    first = np.minimum(at.astype(int), 2)
    share = (at - first).reshape(-1, *[1] * (inputs.ndim - 1))
    return inputs[first] * (1 - share) + inputs[first + 1] * share


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("share", [0.0, 0.05])
def test_engine_equals_torch_in_the_same_integers(name, share):
    module, inputs = ready(name)
    stream = slow(inputs)
    net = nd.convert_ann(module, stream, to="sigma-delta", thresholds=share, measure=False)
    frames = stream.reshape(-1, *net.input.shape)
    wanted = as_stream(net, net.input.transform(frames))
    rec = nd.run(net, frames, drain=True, record=("spikes",))
    for population in net:
        assert np.array_equal(rec[population.name].spikes[0], wanted[population.name]), (
            population.name
        )


@pytest.mark.parametrize("name", STREAMS)
def test_changes_add_up_to_what_floats_give(name):
    module, inputs = ready(name)
    net = nd.convert_ann(module, slow(inputs), to="sigma-delta")
    assert next(iter(net.audit)).effect.output_relative_error < 0.1


def test_larger_thresholds_cost_fewer_messages():
    module, inputs = ready("image")
    sent = []
    for share in (0.0, 0.05, 0.2):
        stream = slow(inputs)
        net = nd.convert_ann(module, stream, to="sigma-delta", thresholds=share, measure=False)
        rec = nd.run(net, stream.reshape(-1, *net.input.shape), drain=True)
        sent.append(sum(int(rec[p.name].counts.sum()) for p in net))
    assert sent[0] > sent[1] > sent[2]


def test_a_stream_that_stands_still_costs_nothing():
    module, inputs = ready("dense")
    still = np.repeat(inputs[:1].numpy(), 30, axis=0)
    net = nd.convert_ann(module, still, to="sigma-delta", measure=False)
    rec = nd.run(net, still, record=("spikes",))
    settled = net.hops(net.output.name) + 1
    assert all(not rec[p.name].spikes[0, settled:].any() for p in net)


def test_binary_maps_are_refused():
    module, inputs = ready("maps")
    with pytest.raises(nd.NeurodeployError, match="binary map changes as a whole"):
        nd.convert_ann(module, inputs, to="sigma-delta")


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [({"7": 0.1, "none": 0.1}, "no population 'none'"), (1.5, r"1\.5 of .* 0\.\.1")],
)
def test_thresholds_are_checked(thresholds, words):
    module, inputs = ready("dense")
    with pytest.raises(nd.NeurodeployError, match=words):
        nd.convert_ann(module, inputs, to="sigma-delta", thresholds=thresholds)


def test_lava_sends_the_same(lava):
    module, inputs = ready("length")
    stream = slow(inputs, 8)
    net = nd.convert_ann(module, stream, to="sigma-delta", measure=False)
    frames = stream.reshape(1, -1, *net.input.shape)
    ready_for = nd.deploy(net, target="lava", inputs=frames)
    assert ready_for.runs
    assert nd.verify(ready_for.network, frames[:, :4], backend="lava", drain=True).equal
