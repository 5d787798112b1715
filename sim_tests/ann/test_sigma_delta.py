"""The sigma-delta form: the engine's changes are those of a torch simulation of the stream."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import choose_thresholds

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


@pytest.fixture(scope="module")
def sweep():
    module, inputs = ready("image")
    stream = slow(inputs, 40)
    return module, stream, choose_thresholds(module, stream, 0.08, shares=(0.02, 0.05, 0.1))


def test_chosen_thresholds_stay_within_the_tolerance_and_save_synops(sweep):
    module, stream, found = sweep
    first, chosen = found.points[0], found.chosen
    assert first.thresholds == {}
    assert chosen.error <= 0.08
    assert chosen.synops < 0.7 * first.synops < found.dense_synops
    assert set(chosen.thresholds.values()) <= {0.02, 0.05, 0.1}
    net = nd.convert_ann(module, stream, to="sigma-delta", thresholds=chosen.thresholds)
    rec = nd.run(net, stream.reshape(1, -1, *net.input.shape), drain=True)
    assert nd.profile(rec, chip="loihi2").synops / len(stream) == pytest.approx(chosen.synops)
    assert [p.synops for p in found.points] == sorted(
        (p.synops for p in found.points), reverse=True
    )
    assert f"{len(found.tried)} tried" in repr(found)


def test_the_sweep_draws_what_was_tried(sweep):
    plots = pytest.importorskip("matplotlib")
    plots.use("Agg")
    axes = sweep[2].plot()
    assert len(axes.collections[0].get_offsets()) == len(sweep[2].tried)
    assert axes.get_xlabel() == "SynOps a step"
    plots.pyplot.close("all")


def test_a_tolerance_below_the_smallest_error_is_refused():
    module, inputs = ready("dense")
    with pytest.raises(nd.NeurodeployError, match="the smallest thresholds err by"):
        choose_thresholds(module, slow(inputs), 1e-6)
    with pytest.raises(nd.NeurodeployError, match="tolerance: 0; give a share above 0"):
        choose_thresholds(module, slow(inputs), 0)
