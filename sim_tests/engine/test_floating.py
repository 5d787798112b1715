"""The float backend, against each equation written out step by step."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Source,
    Sparse,
)

F = np.float32


def reference(neuron: FloatLIF, a):
    """[steps, neurons] of messages, u and v, from the docstring's equations."""
    u = v = np.zeros(a.shape[1], F)
    owed = np.zeros(a.shape[1], F)
    threshold = np.asarray(neuron.threshold, F)
    sent, us, vs = [], [], []

    def reset(x, count):
        hit = (count > 0) & (neuron.reset != "none")
        if neuron.reset == "value":
            return np.where(hit, F(neuron.reset_value), x)
        return np.where(hit, x - count * threshold, x)

    for x in a.astype(F):
        before = u
        u = F(neuron.current_keep) * u + F(neuron.current_gain) * (x + F(neuron.current_bias))
        if neuron.reset_time == "before":
            v = reset(v, owed)
        seen = before if neuron.sees_last_current else u
        v = F(neuron.voltage_keep) * v + F(neuron.voltage_gain) * seen + F(neuron.voltage_bias)
        if neuron.reset_time == "after":
            v = reset(v, owed)
        fires = (v >= threshold if neuron.inclusive else v > threshold).astype(F)
        if neuron.sends == "count":
            fires = np.maximum(0, np.floor(v / threshold))
        sent.append(v if neuron.sends == "voltage" else fires)
        owed = fires
        if neuron.reset_time == "same":
            v = reset(v, fires)
        if neuron.minimum is not None:
            v = np.maximum(v, F(neuron.minimum))
        us.append(u)
        vs.append(v)
    return np.array(sent), np.array(us), np.array(vs)


def alone(neuron, size=7, weight=1.0):
    populations = (Population("in", (size,), Source(signed=True)), Population("n", (size,), neuron))
    return Network(populations, (Projection("in", "n", OneToOne(weight)),))


@pytest.mark.parametrize("reset", ["value", "subtract", "none"])
@pytest.mark.parametrize("reset_time", ["same", "before", "after"])
@pytest.mark.parametrize("sends", ["spike", "voltage", "count"])
def test_neurons_follow_their_equations(reset, reset_time, sends):
    rng = np.random.default_rng(3)
    # Whole numbers and halves: no rounding, so that order of additions makes no difference.
    neuron = FloatLIF(
        current_keep=0.5, current_gain=2.0, current_bias=0.25, voltage_keep=0.5, voltage_gain=1.0,
        voltage_bias=-0.5, threshold=1.5, reset=reset, reset_value=0.25, reset_time=reset_time,
        inclusive=sends == "count", sees_last_current=reset_time == "same", sends=sends,
        minimum=-2.0 if sends == "count" else None,
    )  # fmt: skip
    a = rng.integers(-2, 3, (30, 7))
    rec = nd.run(alone(neuron), a, backend="float", record=("spikes", "u", "v"))
    sent, u, v = reference(neuron, a)
    assert sent.any()
    np.testing.assert_array_equal(rec.output[0], sent)
    np.testing.assert_array_equal(rec["n"].u[0], u)
    np.testing.assert_array_equal(rec["n"].v[0], v)
    assert rec["n"].v.dtype == np.float32


def test_forward_projections_deliver_in_the_same_step_and_closing_ones_in_the_next():
    relay = FloatLIF.relay()
    net = Network(
        (
            Population("in", (1,), Source()),
            Population("a", (1,), relay),
            Population("b", (1,), relay),
        ),
        (
            Projection("in", "a", OneToOne(1.0)),
            Projection("a", "b", OneToOne(2.0)),
            Projection("b", "a", Dense(np.array([[0.5]], F))),
        ),
    )  # fmt: skip
    x = np.array([[1], [0], [0], [0]])
    rec = nd.run(net, x, backend="float", record=("spikes",))
    assert rec["a"].spikes[0, :, 0].tolist() == [1, 1, 1, 1]
    assert rec.output[0, :, 0].tolist() == [2, 2, 2, 2]
    assert all(p.hops == 0 for p in rec.header.populations)


@pytest.mark.parametrize("block", [1, 3, 8])
def test_synapses_and_delays(block):
    """Each operator beside sums written out, on a cycle too, whatever the block."""
    from neurodeploy.core.floating import simulate
    from neurodeploy.inputs import present

    rng = np.random.default_rng(5)
    relay = FloatLIF.relay()
    conv = Conv(rng.integers(-2, 3, (4, 1, 2, 3)).astype(F), (2, 1), (1, 0), (1, 2), groups=2)
    shape = conv.output_shape((2, 6, 9))
    pool = Pool(np.full((2, 2), 0.5, F), (2, 2))
    pooled = pool.output_shape(shape)
    size = int(np.prod(pooled))
    weight = rng.integers(-2, 3, (5, size)).astype(F)
    delay = rng.integers(0, 4, (5, size)).astype(np.int32)
    loop = Sparse.from_dense((rng.integers(-1, 2, (5, 5)) / 4).astype(F))
    axons = np.array([0, 2, 1, 0, 3], np.int32)
    net = Network(
        (
            Population("in", (2, 6, 9), Source()),
            Population("conv", shape, relay),
            Population("pool", pooled, relay),
            Population("out", (5,), relay, axon_delay=axons),
        ),
        (
            Projection("in", "conv", conv),
            Projection("conv", "pool", pool),
            Projection("pool", "out", DelayedDense(weight, delay)),
            Projection("out", "out", loop),
        ),
    )
    x = rng.integers(0, 2, (8, 12, 2, 6, 9))
    blocks = list(simulate(net, present(net, x), block=block))
    found = {n: np.concatenate([b[n].sent for b in blocks]) for n in ("conv", "pool", "out")}

    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1), (0, 0))).astype(F)
    expected = np.zeros((8, 12, *shape), F)
    for o, y, z in np.ndindex(*shape):
        for k in range(2):
            for m in range(3):
                source = padded[:, :, o // 2, 2 * y + k, z + 2 * m]
                expected[:, :, o, y, z] += conv.weight[o, 0, k, m] * source
    np.testing.assert_array_equal(found["conv"].reshape(expected.shape), expected)
    h, w = pooled[1:]
    windows = expected[..., : 2 * h, : 2 * w].reshape(8, 12, shape[0], h, 2, w, 2)
    sums = windows.sum(axis=(4, 6)) / 2
    np.testing.assert_array_equal(found["pool"].reshape(sums.shape), sums)
    flat = sums.reshape(8, 12, -1)
    own, sent = np.zeros((8, 12, 5), F), np.zeros((8, 12, 5), F)
    for t in range(12):
        for i in range(5):
            for j in range(size):
                if t >= delay[i, j]:
                    own[:, t, i] += weight[i, j] * flat[:, t - delay[i, j], j]
        if t:
            own[:, t] += sent[:, t - 1] @ loop.to_dense().T
        for i in range(5):
            if t + axons[i] < 12:
                sent[:, t + axons[i], i] = own[:, t, i]
    np.testing.assert_allclose(found["out"], sent, rtol=1e-5, atol=1e-5)
    assert np.abs(sent).max() > 1


def test_one_world_at_a_time():
    floats, integers = FloatLIF(), CubaLIF(4096, 0, 10)
    source = Population("in", (2,), Source())
    weight = np.ones((2, 2), np.int32)
    with pytest.raises(NetworkError, match=r"'b'.*in integers, others of this network in float32"):
        Network((source, Population("a", (2,), floats), Population("b", (2,), integers)), ())
    with pytest.raises(NetworkError, match="weights are float32 between neurons that compute in"):
        Network(
            (source, Population("b", (2,), integers)),
            (Projection("in", "b", Dense(weight.astype(F))),),
        )
    with pytest.raises(NetworkError, match="threshold holds 1 numbers, 1 are NaN"):
        FloatLIF(threshold=float("nan"))


@pytest.mark.parametrize("backend", ["engine", "lava"])
def test_integer_backends_refuse_a_float_network(backend):
    with pytest.raises(UnsupportedError, match=r"population 'n': float neurons; quantize"):
        nd.run(alone(FloatLIF()), np.ones((3, 7)), backend=backend)


def test_float_backend_refuses_an_integer_network_and_resets():
    source = Population("in", (2,), Source())
    net = Network((source, Population("n", (2,), CubaLIF(4096, 0, 10))), ())
    with pytest.raises(UnsupportedError, match=r"compute in integers; run the network on .*engine"):
        nd.run(net, np.ones((3, 2)), backend="float")
    with pytest.raises(UnsupportedError, match="reset_interval: 4"):
        nd.run(alone(FloatLIF()), np.ones((3, 7)), backend="float", reset_interval=4)
    with pytest.raises(UnsupportedError, match="quantize the network first"):
        nd.stream(alone(FloatLIF()))


def test_recordings_of_floats_survive_the_file(tmp_path):
    net = alone(FloatLIF(voltage_keep=0.9, sends="voltage", reset="none"))
    x = np.random.default_rng(0).normal(size=(2, 5, 7)).astype(F)
    rec = nd.run(net, x, backend="float", record=("spikes", "v"), out=tmp_path / "a.h5")
    assert rec.output.dtype == np.float32
    np.testing.assert_array_equal(rec.output, rec["n"].v)
    assert nd.compare(rec, nd.run(net, x, backend="float", record=("spikes", "v"))).equal
    other = nd.run(net, x + F(1), backend="float", record=("spikes", "v"))
    assert isinstance(nd.compare(rec, other, anyway=True).first_divergence.value_a, float)
