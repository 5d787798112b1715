"""Neurons that the core steps by their NumPy ``step``: every way it runs drives them alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.core.network import core_network
from neurodeploy.core.replay import Messages, replay
from neurodeploy.core.stream import CoreStream
from neurodeploy.errors import BackendError, NetworkError, UnsupportedError
from neurodeploy.network import (
    NEURONS,
    AdaptiveCubaLIF,
    Complex,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Neuron,
    Population,
    Projection,
    Source,
    Sparse,
)
from neurodeploy.network.fields import integers
from sim_tests.core.against_equations import assert_core_equals_equations, run_core
from sim_tests.core.test_core import HOW
from sim_tests.engine.neuron_bench import draw_neuron
from sim_tests.random_networks import Draw

WITH_BOTH = {
    "cuba-lif", "cuba-lif-adaptive", "cuba-lif-general", "leaky-integrator", "ternary-lif",
}  # fmt: skip
"""Models of ours with equations in C++ and in NumPy."""


SEEDS = range(24)


def drawn(seed):
    """A random network, in every third one with more general neurons."""
    draw = Draw(seed, beyond_netx=seed % 2 == 1)
    network, rng = draw.network, np.random.default_rng(seed)

    def general(population):
        if seed % 3 or population.neuron.kind != "cuba-lif":
            return population
        readout = population is network.output
        if seed % 2 and not readout:
            return replace(population, neuron=draw_neuron(rng, AdaptiveCubaLIF, population.size))
        model = LeakyIntegrator if readout else GeneralCubaLIF
        neuron = draw_neuron(rng, model, population.size)
        changes = {} if readout else {"graded_spike": False}
        return replace(population, neuron=replace(neuron, input_exponent=6, **changes))

    populations = tuple(general(p) for p in network.populations)
    return replace(network, populations=populations), draw.inputs(samples=2)


@pytest.fixture
def registered():
    """Register models for one test."""
    before = dict(NEURONS._ours)
    yield NEURONS.register
    NEURONS._ours.clear()
    NEURONS._ours.update(before)


@pytest.fixture
def by_numpy(monkeypatch):
    monkeypatch.setenv("NEURODEPLOY_STEPS", "numpy")


def kinds_by_numpy(network):
    packed = core_network(network)
    counted = zip(packed.populations, packed.overflows, strict=True)
    return {p.neuron.kind for p, names in counted if names == ("input_overflows",)}


def assert_same(found, expected):
    for name, arrays in expected.items():
        for what, array in arrays.items():
            if what in found[name]:  # u and v beyond 24 bits are not counted of a NumPy step
                np.testing.assert_array_equal(found[name][what], array, f"{name}, {what}")
            else:
                assert what in ("u_overflows", "v_overflows")


class TestModelsOfOurs:
    """In C++ and in NumPy they give the same arrays, on all random networks."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test_random_networks(self, monkeypatch, seed):
        network, inputs = drawn(seed)
        expected = run_core(network, inputs)
        monkeypatch.setenv("NEURODEPLOY_STEPS", "numpy")
        assert_same(run_core(network, inputs, **HOW[seed // 2 % 4]), expected)
        # The oracle shares nothing with either.
        assert_core_equals_equations(network, inputs[:1])
        stream = CoreStream(network)
        sent = np.array([stream.step(x).ravel() for x in inputs[0]])
        np.testing.assert_array_equal(sent, expected[network.output.name]["spikes"][0])

    def test_they_are_in_the_random_networks(self, by_numpy):
        assert set().union(*(kinds_by_numpy(drawn(seed)[0]) for seed in SEEDS)) == WITH_BOTH

    @pytest.mark.parametrize("seed", range(1000, 1006))
    def test_resets(self, by_numpy, seed):
        draw = Draw(seed, delays=False, sigma_delta=False)
        inputs = draw.inputs(samples=2, steps=30)
        how = HOW[seed % 4]
        assert_core_equals_equations(draw.network, inputs, resets=(7, seed % 4), **how)

    @pytest.mark.parametrize("seed", range(6))
    def test_each_population_alone(self, monkeypatch, seed):
        draw = Draw(seed, beyond_netx=seed % 2 == 1)
        inputs, network = draw.inputs(samples=2, steps=20), draw.network
        recorded = run_core(network, inputs)
        monkeypatch.setenv("NEURODEPLOY_STEPS", "numpy")
        for population in network.populations:
            if population is network.input and not population.neuron.states:
                continue
            messages = {
                p.source: Messages.of(recorded[p.source]["spikes"])
                for p in network.into(population.name)
            }
            states = population.neuron.states
            values = inputs.reshape(2, 20, -1)
            again = replay(network, population.name, messages, values=values, states=states)
            np.testing.assert_array_equal(again.spikes, recorded[population.name]["spikes"])
            for state in states:
                np.testing.assert_array_equal(again.states[state], recorded[population.name][state])

    def test_what_the_variable_asks_for_is_known(self, monkeypatch):
        monkeypatch.setenv("NEURODEPLOY_STEPS", "fortran")
        with pytest.raises(BackendError, match="NEURODEPLOY_STEPS: 'fortran'; give numpy"):
            nd.run(one(CubaLIF(1, 1, 1)), np.ones((3, 4), int))


def one(neuron, size=4):
    return Network(
        (Population("in", (size,), Source()), Population("own", (size,), neuron)),
        (Projection("in", "own", Dense(np.eye(size, dtype=np.int32))),),
    )


@dataclass(frozen=True, eq=False)
class Turning(Neuron):
    """Two currents, two states, what is sent is signed; different in each neuron."""

    gain: int = field(metadata=integers())
    kind: ClassVar[str] = "turning"
    states: ClassVar[tuple[str, ...]] = ("x", "y")
    ports: ClassVar[int] = 2
    graded: ClassVar[bool] = True

    def step(self, states, current):
        x, y = states["y"] // 2 + current[0], current[1] - states["x"] // 3
        return {"x": x, "y": y}, np.where(np.abs(x) > 40, np.sign(x) * self.gain, 0)


class TestLayouts:
    """Images, long rows, loops, axons, late starts: the step sees flat (C, H, W) order."""

    @pytest.mark.parametrize("how", HOW, ids=str)
    @pytest.mark.parametrize(
        ("shape", "longest", "starts"),
        [((7,), 0, 0), ((3, 4, 5), 4, 3), ((70,), 3, 1), ((2, 3, 9), 0, 2), ((33000,), 2, 0)],
    )
    def test_equal_to_a_loop_in_numpy(self, registered, shape, longest, starts, how):
        registered(Turning)
        rng = np.random.default_rng(shape)
        size, steps = int(np.prod(shape)), 12
        gain = rng.integers(1, 9, size).astype(np.int32)
        delay = rng.integers(0, longest + 1, size).astype(np.int32)
        weight = rng.integers(-30, 40, (2, size, 6)) * (rng.random((2, size, 6)) < 0.4)
        loop = rng.integers(-1, 2, (2, min(size, 99), min(size, 99)))
        loops = [Projection("own", "own", in_two(loop))] if size < 99 else []
        network = Network(
            (
                Population("in", (6,), Source()),
                Population("own", shape, Turning(gain), delay if longest else None, starts=starts),
            ),
            (Projection("in", "own", in_two(weight)), *loops),
        )
        inputs = rng.integers(0, 2, (3, steps, 6))
        found = run_core(network, inputs, states=("x", "y"), **how)["own"]
        for s, presented in enumerate(inputs):
            x, y = np.zeros((2, size), np.int64)
            sent = np.zeros((steps + longest + 1, size), np.int64)
            for t in range(steps):
                a = weight @ presented[t - 1] if t else np.zeros((2, size), np.int64)
                if loops and t:
                    a = a + loop @ sent[t - 1]
                if t >= starts:
                    x, y = y // 2 + a[0], a[1] - x // 3
                    message = np.where(np.abs(x) > 40, np.sign(x) * gain, 0)
                    sent[t + delay, np.arange(size)] = message
                np.testing.assert_array_equal(found["x"][s, t], x)
                np.testing.assert_array_equal(found["y"][s, t], y)
            np.testing.assert_array_equal(found["spikes"][s], sent[:steps])
        assert found["spikes"].any()


def in_two(weight):
    return Complex(*(Sparse.from_dense(part.astype(np.int32)) for part in weight))


@dataclass(frozen=True, eq=False)
class Counting(Neuron):
    """Adds up what it gets; does what a test asks for once it has enough."""

    kind: ClassVar[str] = "counting"
    states: ClassVar[tuple[str, ...]] = ("total",)
    then: ClassVar = staticmethod(lambda total: {})

    def step(self, states, current):
        total = states["total"] + current
        return {"total": total} | self.then(total), (total % 5 == 0) & (current > 0)


class Stop(Exception):
    """Of the author of a model."""


class TestFailures:
    @pytest.mark.parametrize("threads", [1, 2, 3])
    @pytest.mark.parametrize("error", [Stop("as it is"), KeyboardInterrupt()], ids=repr)
    def test_what_a_step_raises_reaches_the_caller_as_it_is(
        self, registered, monkeypatch, error, threads
    ):
        registered(Counting)

        def fail(total):
            if total.max() > 6:
                raise error
            return {}

        network, inputs = one(Counting(), 90), np.ones((7, 20, 90), int)
        whole = nd.run(network, inputs, record=("spikes", "total"))
        monkeypatch.setattr(Counting, "then", staticmethod(fail))
        for samples in (1, 7):
            with pytest.raises(type(error)) as caught:
                nd.run(network, inputs[:samples], threads=threads)
            assert caught.value is error
        with nd.stream(network) as running:
            for _ in range(7):
                running.step(inputs[0, 0])
            with pytest.raises(type(error)) as caught:
                running.step(inputs[0, 0])
            assert caught.value is error
        monkeypatch.undo()  # nothing of it is left behind
        again = nd.run(network, inputs, record=("spikes", "total"), threads=threads)
        assert nd.compare(whole, again).equal
        np.testing.assert_array_equal(again["own"]["total"][3, :, 8], np.arange(20))

    @pytest.mark.parametrize(
        ("made", "line"),
        [
            ({"total": np.full(4, 1 << 31)}, "state total of 2147483648, needs -2147483648..2147"),
            ({"total": np.zeros(3, int)}, r"state total as int64 \(3,\), needs integers \(4,\)"),
            ({"total": np.zeros(4)}, "state total as float64"),
            ({"other": np.zeros(4, int)}, "step gives states total, other, needs total"),
        ],
    )
    def test_states_that_cannot_be_are_named(self, registered, monkeypatch, made, line):
        registered(Counting)
        monkeypatch.setattr(Counting, "then", staticmethod(lambda total: made))
        with pytest.raises(NetworkError, match=f"'own': counting neuron: .*{line}"):
            nd.run(one(Counting()), np.ones((2, 4), int))

    def test_a_payload_needs_to_be_declared(self, registered, monkeypatch):
        registered(Counting)
        monkeypatch.setattr(
            Counting, "step", lambda self, states, current: (states, current + 2), raising=True
        )
        with pytest.raises(NetworkError, match=r"a message of 2, needs 0..1; let graded be True"):
            nd.run(one(Counting()), np.ones((2, 4), int))

    def test_a_model_without_either_step_is_refused(self, registered):
        @dataclass(frozen=True, eq=False)
        class Bare(Neuron):
            kind: ClassVar[str] = "bare"

        registered(Bare)
        with pytest.raises(UnsupportedError, match="'own': the engine has no bare neuron of class"):
            nd.run(one(Bare()), np.ones((2, 4), int))
        with pytest.raises(
            NetworkError, match=r"bare neuron: has no step in NumPy; give Bare\.step"
        ):
            Bare().step({}, np.zeros(4, int))

    def test_what_derives_from_a_model_runs_only_if_it_is_registered(self, registered):
        @dataclass(frozen=True, eq=False)
        class Heavier(CubaLIF):
            kind: ClassVar[str] = "heavier"

            def next_current(self, u, current, *rules):
                return super().next_current(u, 2 * current, *rules)

        network, inputs = one(Heavier(500, 300, 2)), np.random.default_rng(0).integers(0, 2, (9, 4))
        with pytest.raises(UnsupportedError, match="no heavier neuron of class Heavier"):
            nd.run(network, inputs)
        registered(Heavier)
        doubled = Network(
            (Population("in", (4,), Source()), Population("own", (4,), CubaLIF(500, 300, 2))),
            (Projection("in", "own", Dense(2 * np.eye(4, dtype=np.int32))),),
        )
        ours, theirs = (
            nd.run(net, inputs, record=("spikes", "u", "v")) for net in (network, doubled)
        )
        for what in ("spikes", "u", "v"):
            np.testing.assert_array_equal(ours["own"][what], theirs["own"][what])

    @pytest.mark.parametrize(
        ("cls", "line"),
        [
            (type("Plain", (Neuron,), {"kind": "plain"}), "is no dataclass of its own"),
            (Dense, "is no dataclass that derives from Neuron"),
        ],
    )
    def test_what_is_no_model_cannot_be_registered(self, registered, cls, line):
        with pytest.raises(TypeError, match=line):
            registered(cls)

    def test_a_name_that_is_taken_and_states_that_mean_something_else(self, registered):
        @dataclass(frozen=True, eq=False)
        class Again(Neuron):
            kind: ClassVar[str] = "cuba-lif"

        @dataclass(frozen=True, eq=False)
        class Payload(Neuron):
            kind: ClassVar[str] = "payload"
            states: ClassVar[tuple[str, ...]] = ("payload",)

        with pytest.raises(ValueError, match=r"neuron 'cuba-lif': .*Again takes a name twice"):
            registered(Again)
        with pytest.raises(ValueError, match="a state cannot be called 'payload'"):
            registered(Payload)
