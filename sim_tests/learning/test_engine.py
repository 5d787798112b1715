"""The engine's learning: against the reference on random rules, and how a run of it is used."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NeurodeployError, RecordingError, UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    LearningRule,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
)
from sim_tests.learning.against import assert_same, learned_by_engine
from sim_tests.learning.random_rules import random_rule
from sim_tests.learning.reference import LIF, run_chain

PAYLOADS = ("impulse", "overwrite", "add-saturating", "add-overflow")


def drawn(seed, rule, sources, targets, steps, graded=False):
    rng = np.random.default_rng(seed + 1000)
    low, high = rule.weight_range
    weight = rng.integers(low // 2, high // 2 + 1, (targets, sources))
    inputs = (rng.random((steps, sources)) < rng.choice([0.1, 0.3, 0.6])).astype(np.int32)
    if graded:
        inputs *= rng.integers(1, 256, inputs.shape)
    return weight, inputs


def at_epochs(found, rule):
    last = slice(rule.epoch - 1, None, rule.epoch)
    return {name: v if name == "s" else v[last] for name, v in found.items()}


@pytest.mark.parametrize("seed", range(60))
def test_random_two_factor_rules(seed):
    payload = PAYLOADS[seed % 4] if seed % 2 else "impulse"
    rule = random_rule(seed, payload=payload)
    weight, inputs = drawn(seed, rule, 9, 6, 90, graded=payload != "impulse")
    bias = 30 if rule.sign == "inhibitory" else 0
    network = Network(
        (Population("in", (9,), Source()), Population("out", (6,), CubaLIF(2000, 300, 90, bias))),
        (Projection("in", "out", Dense(weight), rule=rule),),
    )
    found = learned_by_engine(network, inputs)
    expected = run_chain(rule, weight, LIF(6, 2000, 300, 90, bias), inputs)
    expected = at_epochs(expected, rule)
    assert_same({name: expected[name] for name in found}, found)


@pytest.mark.parametrize("seed", range(30))
def test_random_three_factor_rules(seed):
    rule = random_rule(seed, factors="three")
    weight, inputs = drawn(seed, rule, 8, 5, 80)
    rng = np.random.default_rng(seed)
    told = {
        "cost": int(rng.integers(0, 120)), "size": int(rng.integers(0, 128)),
        "keep_y1": int(rng.integers(0, 129)), "keep": int(rng.integers(0, 129)),
        "surrogate": bool(seed % 2), "width": int(rng.integers(2, 9)),
    }  # fmt: skip
    neuron = ModulatedLIF(
        2500, 300, 60, 20, y1_is="surrogate" if told["surrogate"] else "trace",
        y1_size=told["size"], y1_keep=told["keep_y1"], y1_width=told["width"],
        signal_keep=told["keep"], message_cost=told["cost"],
    )  # fmt: skip
    factor = rng.integers(-120, 121, (5, 8))
    network = Network(
        (Population("in", (8,), Source()), Population("out", (5,), neuron)),
        (
            Projection("in", "out", Dense(factor), into="third-factor"),
            Projection("in", "out", Dense(weight), rule=rule),
        ),
    )
    found = learned_by_engine(network, inputs)
    third = np.vstack([np.zeros((1, 5), int), inputs[:-1] @ factor.T])
    lif = LIF(5, 2500, 300, 60, 20, modulated=told)
    expected = at_epochs(run_chain(rule, weight, lif, inputs, third), rule)
    assert_same({name: expected[name] for name in found}, found)


def small(rule=None, shape=(4,), steps=50, samples=3, seed=0, **neuron):
    rng = np.random.default_rng(seed)
    rule = rule or LearningRule(
        "dw = 2^-1*x1*y0 - 2^-1*y1*x0; dt = 2^-2*x0*y1 - 2^-3*u0*t",
        x1_impulse=30.5, x1_tau=8, y1_impulse=30.5, y1_tau=8, epoch=2,
    )  # fmt: skip
    size = int(np.prod(shape))
    weight = rng.integers(0, 60, (size, 6))
    network = Network(
        (
            Population("in", (6,), Source()),
            Population("hid", shape, CubaLIF(2000, 300, 40)),
            Population("out", (2,), CubaLIF(2000, 300, 40)),
        ),
        (
            Projection("in", "hid", Dense(weight), rule=rule),
            Projection("hid", "out", Dense(rng.integers(-20, 60, (2, size)))),
        ),
    )
    inputs = (rng.random((samples, steps, 6)) < 0.3).astype(np.int32)
    return network, inputs


def test_nothing_depends_on_windows_threads_blocks_or_the_shape_of_a_population():
    network, inputs = small()
    record = ("spikes", "u", "v", "weights")
    whole = nd.run(network, inputs, record=record, threads=1)
    image, _ = small(shape=(1, 2, 2))
    for other in (
        nd.run(network, inputs, record=record, threads=3),
        nd.run(network, inputs[:2], record=record, threads=4),
        nd.run(image, inputs, record=record),
    ):
        n = other.samples
        for name in ("w", "t", "x1", "y1"):
            one = whole.learning("in->hid").trajectory(name)
            assert np.array_equal(one[:n], other.learning("in->hid").trajectory(name))
        for name in ("hid", "out"):
            shape = other[name].spikes.shape
            assert np.array_equal(whole[name].spikes[:n].reshape(shape), other[name].spikes)
    from neurodeploy.core.simulate import simulate
    from neurodeploy.inputs import present

    for window in (1, 7, 50):
        for block in simulate(network, present(network, inputs), window=window, trajectories=True):
            learned = block.learned["in->hid"]
            assert np.array_equal(learned.epochs["w"], whole.learning("in->hid").trajectory())
            assert np.array_equal(learned.after["t"], whole.learning("in->hid").after("t"))


def test_the_trajectory_ends_with_what_was_learned():
    network, inputs = small(steps=50)
    recording = nd.run(network, inputs, record="weights")
    learned = recording.learning("in->hid")
    assert learned.variables == ("w", "t")
    assert learned.trajectory().shape == (3, 25, 4, 6)
    assert np.array_equal(learned.trajectory()[:, -1], learned.after())
    assert learned.trajectory("x1").shape == (3, 25, 6)
    assert (learned.after() != network.projections[0].synapse.weight).any()
    plain = nd.run(network, inputs)
    assert np.array_equal(plain.learning("in->hid").after(), learned.after())
    with pytest.raises(RecordingError, match='run again with record="weights"'):
        plain.learning("in->hid").trajectory()
    with pytest.raises(RecordingError, match="none that learns"):
        plain.learning("hid->out")


def test_samples_are_independent_unless_they_are_to_learn_one_after_the_other():
    network, inputs = small()
    alone = [nd.run(network, x).learning("in->hid").after()[0] for x in inputs]
    together = nd.run(network, inputs).learning("in->hid").after()
    assert np.array_equal(alone, together)
    across = nd.run(network, inputs, record="weights", learn_across_samples=True)
    found = across.learning("in->hid")
    assert found.after().shape == (1, 4, 6)
    assert np.array_equal(found.trajectory()[0, -1], alone[0])
    assert not np.array_equal(found.after()[0], alone[-1])
    assert np.array_equal(found.trajectory()[-1, -1], found.after()[0])


def test_learning_goes_on_from_block_to_block():
    from neurodeploy.core.simulate import simulate
    from neurodeploy.inputs import present

    network, inputs = small(samples=5)
    values = present(network, inputs)
    kept = {}
    for size in (1, 2, 5):
        blocks = simulate(network, values, block=size, threads=2, learn_across_samples=True)
        kept[size] = np.concatenate([b.learned["in->hid"].after["w"] for b in blocks])
    assert np.array_equal(kept[1], kept[5])
    assert np.array_equal(kept[2], kept[5])


def test_only_a_network_that_learns_can_learn_across_samples():
    network, inputs = small()
    still = Network(network.populations, network.projections[1:])
    with pytest.raises(InputError, match="nothing learns"):
        nd.run(still, inputs, learn_across_samples=True)
    with pytest.raises(InputError, match="'weights': unknown"):
        nd.run(still, inputs, record="weights")
    with pytest.raises(RecordingError, match="nothing learns in this recording"):
        nd.run(still, inputs).learned()


@pytest.mark.parametrize("across", [False, True])
def test_learned_weights_come_back_as_a_network(tmp_path, across):
    network, inputs = small()
    how = {"learn_across_samples": across, "out": tmp_path / "a.h5", "record": "weights"}
    recording = nd.run(network, inputs, **how)
    learned = recording.learned()
    weight = recording.learning("in->hid").after()[-1]
    assert np.array_equal(learned.projections[0].synapse.weight, weight)
    assert learned.projections[0].rule.text == network.projections[0].rule.text
    assert learned.projections[1] is not None
    assert nd.Recording.load(tmp_path / "a.h5").learned() == learned
    nd.save(learned, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == learned
    if across:
        with pytest.raises(RecordingError, match="sample 1: what it learned is not there"):
            recording.learned(1)
    else:
        first = recording.learned(0)
        assert np.array_equal(
            first.projections[0].synapse.weight, recording.learning("in->hid").after()[0]
        )


def test_streams_learn():
    network, inputs = small(samples=1)
    recording = nd.run(network, inputs, record=("spikes", "weights"))
    trajectory = recording.learning("in->hid").trajectory()[0]
    with nd.stream(network) as stream:
        for again in range(2):
            assert np.array_equal(
                stream.learned().projections[0].synapse.weight,
                network.projections[0].synapse.weight & ~1,
            )
            for t, x in enumerate(inputs[0]):
                assert np.array_equal(stream.step(x), recording.output[0, t])
                if t % 2:
                    held = stream.learned().projections[0].synapse.weight
                    assert np.array_equal(held, trajectory[t // 2]), (again, t)
            stream.reset()
    with pytest.raises(UnsupportedError, match="open the stream without gated"):
        nd.stream(network, gated=True)


def test_a_population_that_feeds_itself_learns():
    rule = random_rule(3, sign="mixed", epoch=2)
    rng = np.random.default_rng(0)
    feed, loop = rng.integers(20, 90, (5, 4)), rng.integers(-60, 60, (5, 5))
    network = Network(
        (Population("in", (4,), Source()), Population("out", (5,), CubaLIF(2000, 300, 60))),
        (
            Projection("in", "out", Dense(feed)),
            Projection("out", "out", Dense(loop), rule=rule),
        ),
    )
    inputs = (rng.random((80, 4)) < 0.3).astype(np.int32)
    found = learned_by_engine(network, inputs)
    from sim_tests.learning.reference import Learning

    learning, lif = Learning(loop, rule), LIF(5, 2000, 300, 60)
    current, before, kept = np.zeros(5, int), np.zeros(4, int), []
    for x in inputs:
        fired, _ = lif(current + feed @ before, None)
        current = learning.step(fired.astype(int), fired)
        before = x
        kept.append(learning.variables["w"].copy())
    assert np.array_equal(found["w"], np.array(kept)[1::2])


@pytest.mark.parametrize("units", ["numpy"])
def test_modulated_neurons_are_the_same_in_numpy(monkeypatch, units):
    rng = np.random.default_rng(0)
    for kind in ("trace", "surrogate"):
        neuron = ModulatedLIF(
            rng.integers(0, 4096, 70), 200, rng.integers(1, 99, 70), 5, y1_is=kind,
            y1_size=rng.integers(0, 128, 70), y1_keep=100, y1_width=6,
            signal_keep=rng.integers(0, 129, 70), message_cost=rng.integers(-90, 90, 70),
        )  # fmt: skip
        network = Network(
            (Population("in", (9,), Source()), Population("out", (70,), neuron)),
            (
                Projection("in", "out", Dense(rng.integers(-90, 120, (70, 9)))),
                Projection("in", "out", Dense(rng.integers(-90, 90, (70, 9))), into="third-factor"),
            ),
        )
        inputs = (rng.random((2, 60, 9)) < 0.3).astype(np.int32)
        ours = nd.run(network, inputs, record=("spikes", "states"))
        assert ours["out"].states == ("u", "v", "y1", "y2", "y3")
        monkeypatch.setenv("NEURODEPLOY_STEPS", units)
        again = Network(network.populations, network.projections)
        theirs = nd.run(again, inputs, record=("spikes", "states"))
        monkeypatch.delenv("NEURODEPLOY_STEPS")
        assert nd.compare(ours, theirs).equal
        for state in ours["out"].states:
            assert np.array_equal(ours["out"][state], theirs["out"][state])
            assert ours["out"][state].any()


def test_nobody_loses_a_rule_on_the_way(tmp_path):
    network, _ = small()
    with pytest.raises(NeurodeployError, match="rule"):
        nd.save(network, tmp_path / "a.net", netx_only=True)
    pytest.importorskip("nir")
    with pytest.raises(NeurodeployError, match="NIR has none"):
        nd.save(network, tmp_path / "a.nir")
