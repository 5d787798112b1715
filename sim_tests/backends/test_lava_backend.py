"""Lava runs a network as the equations say, state by state and step by step."""

from __future__ import annotations

import sys
import sysconfig
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodeploy.backends import Lava
from neurodeploy.errors import BackendError, UnsupportedError
from neurodeploy.formats.netx.reader import load_netx
from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    Delta,
    Dense,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
    Synapse,
)
from neurodeploy.recording import Recording
from neurodeploy.recording.run_options import RunOptions, to_record
from neurodeploy.targets.lava_rules import lava_weight
from sim_tests.reference import simulate

Ints = NDArray[np.int64]
lava = Lava()

needs_lava = pytest.mark.skipif(
    find_spec("lava") is None, reason="lava is not installed in this interpreter"
)
TRACES = Path(sysconfig.get_path("purelib")) / "tests/lava/lib/dl/netx/gts"
EVERYTHING = ("counts", "spikes", "states")


def chain(populations: list[Population], synapses: list[Synapse]) -> Network:
    projections = [
        Projection(a.name, b.name, synapse)
        for (a, b), synapse in zip(pairwise(populations), synapses, strict=True)
    ]
    return Network(tuple(populations), tuple(projections))


def weights(rng: np.random.Generator, *shape: int, low: int = -30, high: int = 40) -> NDArray:
    return (2 * rng.integers(low, high, shape)).astype(np.int32)


def per_neuron(rng: np.random.Generator, low: int, high: int, size: int) -> NDArray:
    return rng.integers(low, high, size).astype(np.int32)


def spikes(rng: np.random.Generator, *shape: int, rate: float = 0.4) -> NDArray:
    return (rng.random(shape) < rate).astype(np.int32)


def payloads(rng: np.random.Generator, *shape: int, low: int, high: int) -> NDArray:
    dense = rng.integers(low, high, shape)
    return np.where(rng.random(shape) < 0.5, dense, 0).astype(np.int32)


def run(network: Network, values: NDArray, **options: object) -> Recording:
    given: dict = {"record": EVERYTHING, "timeout_seconds": 120.0, **options}
    given["record"] = to_record(network, given["record"])
    return lava.run(network, values, RunOptions(steps=values.shape[1], **given))


def assert_as_equations_say(
    recording: Recording,
    network: Network,
    values: NDArray,
    interval: int | None = None,
    offset: int = 0,
) -> None:
    for sample, presented in enumerate(values):
        expected = simulate(network, presented, interval, offset)
        for population in network.populations:
            name, record = population.name, recording[population.name]
            for what in ("spikes", *population.neuron.states):
                got, wanted = record[what][sample], expected[name][what]
                np.testing.assert_array_equal(got, wanted, f"sample {sample}, {name}, {what}")
            sent = (expected[name]["spikes"] != 0).sum(axis=0)
            np.testing.assert_array_equal(record.counts[sample], sent)
    silent = [p.name for p in network.populations if not recording[p.name].counts.any()]
    assert not silent, "nothing to see"


@needs_lava
def test_cuba_chain_with_every_kind_of_weight_matrix() -> None:
    rng = np.random.default_rng(1)
    populations = [
        Population("input", (12,), Source()),
        Population("mixed", (20,), CubaLIF(1000, 300, 900, bias=-20)),
        Population(
            "odd",
            (16,),
            CubaLIF(
                per_neuron(rng, 0, 4097, 16),
                per_neuron(rng, 0, 4097, 16),
                per_neuron(rng, 200, 900, 16),
                per_neuron(rng, -100, 200, 16),
            ),
        ),
        Population("inhibited", (10,), CubaLIF(4096, 0, 300, bias=310)),
        Population("excited", (6,), CubaLIF(0, 4096, 4000)),
    ]
    synapses = [
        Dense(weights(rng, 20, 12)),
        Dense(rng.integers(-128, 128, (16, 20)).astype(np.int32)),
        Dense(rng.integers(-255, 1, (10, 16)).astype(np.int32)),
        Dense(rng.integers(0, 256, (6, 10)).astype(np.int32)),
    ]
    network = chain(populations, synapses)
    values = spikes(rng, 3, 50, 12)
    seen: list[tuple[int, int]] = []
    recording = run(network, values, progress=lambda *done: seen.append(done))
    assert_as_equations_say(recording, network, values)
    assert seen[-1] == (3, 3)
    assert recording.header.network == network.fingerprint
    assert recording.header.backend_version.startswith("lava-nc ")
    assert recording.samples == 3
    assert recording.header.seconds > 0


@needs_lava
def test_recurrence_with_resets_into_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    populations = [
        Population("input", (8,), CubaLIF(500, 100, 90)),
        Population("loop", (15,), CubaLIF(700, 50, 500, bias=30)),
        Population("out", (5,), CubaLIF(700, 50, 90)),
    ]
    network = chain(populations, [Dense(weights(rng, 15, 8)), Dense(weights(rng, 5, 15, low=0))])
    loops = tuple(
        Projection(n, n, Dense(weights(rng, s, s, low=-20, high=20)))
        for n, s in (("input", 8), ("loop", 15))
    )
    network = Network(network.populations, network.projections + loops)
    values = rng.integers(-40, 60, (2, 45, 8)).astype(np.int32)
    recording = run(network, values, reset_interval=8, reset_offset=3, out=tmp_path / "a.h5")
    assert_as_equations_say(recording, network, values, interval=8, offset=3)
    assert recording.header.reset_interval == 8
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@needs_lava
def test_convolutions_with_groups_dilation_and_uneven_everything() -> None:
    rng = np.random.default_rng(3)
    first = Conv(weights(rng, 6, 2, 3, 2), (2, 1), (1, 0), (1, 3), groups=2)
    second = Conv(rng.integers(-99, 99, (4, 6, 2, 3)).astype(np.int32), (1, 2), (0, 2))
    shape = first.output_shape((4, 9, 8))
    last = second.output_shape(shape)
    populations = [
        Population("input", (4, 9, 8), Source()),
        Population("a", shape, CubaLIF(1200, 400, 8000, np.repeat(5, np.prod(shape)))),
        Population("b", last, CubaLIF(1200, 400, 700, per_neuron(rng, -9, 50, np.prod(last)))),
        Population("dense", (7,), CubaLIF(1200, 400, 900)),
        Population("mean", (1,), Average(7)),
    ]
    synapses = [first, second, Dense(weights(rng, 7, np.prod(last))), Readout()]
    network = chain(populations, synapses)
    values = payloads(rng, 2, 20, 4, 9, 8, low=0, high=30)
    assert_as_equations_say(run(network, values), network, values)


@needs_lava
def test_a_convolution_of_more_groups_than_int8_can_count() -> None:
    rng = np.random.default_rng(4)
    populations = [
        Population("input", (130, 2, 2), Source()),
        Population("out", (130, 1, 2), CubaLIF(4096, 0, 400)),
    ]
    network = chain(populations, [Conv(weights(rng, 130, 1, 2, 1), groups=130)])
    values = spikes(rng, 1, 12, 130, 2, 2)
    assert_as_equations_say(run(network, values), network, values)


@needs_lava
def test_sigma_delta_chain() -> None:
    rng = np.random.default_rng(5)
    conv = Conv(weights(rng, 3, 2, 3, 3), padding=(1, 1), stride=(2, 2))
    shape = conv.output_shape((2, 6, 5))
    size = int(np.prod(shape))
    populations = [
        Population("input", (2, 6, 5), Delta(6)),
        Population("conv", shape, SigmaDelta(7, per_neuron(rng, -20, 40, size))),
        Population("linear", (9,), SigmaDelta(per_neuron(rng, 0, 30, 9), -3, rectify=False)),
        Population("out", (4,), Sigma()),
    ]
    synapses = [conv, Dense(weights(rng, 9, size)), Dense(weights(rng, 4, 9))]
    network = chain(populations, synapses)
    values = np.cumsum(rng.integers(-4, 5, (2, 25, 2, 6, 5)), axis=1).astype(np.int32)
    assert_as_equations_say(run(network, values), network, values)


@needs_lava
def test_axonal_delays() -> None:
    rng = np.random.default_rng(6)
    populations = [
        Population("input", (10,), Source(), axon_delay=per_neuron(rng, 0, 4, 10)),
        Population("a", (12,), CubaLIF(600, 100, 700, bias=9), per_neuron(rng, 0, 20, 12)),
        Population("b", (8,), CubaLIF(600, 100, 900), np.full(8, 62, np.int32)),
        Population("out", (4,), CubaLIF(600, 100, 300), per_neuron(rng, 0, 3, 4)),
        Population("mean", (2,), Average(2)),
    ]
    synapses: list[Synapse] = [
        Dense(rng.integers(-40, 60, (12, 10)).astype(np.int32)),
        Dense(weights(rng, 8, 12)),
        Dense(weights(rng, 4, 8, low=1)),
        Readout(),
    ]
    network = chain(populations, synapses)
    loop = Projection("a", "a", Dense(weights(rng, 12, 12, low=-15, high=10)))
    network = Network(network.populations, (*network.projections, loop))
    values = payloads(rng, 2, 90, 10, low=0, high=4)
    recording = run(network, values)
    assert_as_equations_say(recording, network, values)
    np.testing.assert_array_equal(recording["b"].axon_delay, np.full(8, 62))


@needs_lava
def test_current_wraps_and_voltage_saturates_at_24_bits() -> None:
    rng = np.random.default_rng(7)
    edges = [2**17, -(2**17), 2**17 - 1, 1 - 2**17, 2**17 + 1, -(2**17) - 1, 3 * 2**16, 9]
    populations = [
        Population("input", (8,), CubaLIF(0, 0, 131071)),
        Population("out", (3,), CubaLIF(10, 10, 100)),
    ]
    network = chain(populations, [Dense(weights(rng, 3, 8, low=5))])
    values = np.stack([np.tile(edges, (20, 1)), rng.integers(-(2**18), 2**18, (20, 8))])
    values = values.astype(np.int32)
    recording = run(network, values)
    assert_as_equations_say(recording, network, values)
    assert recording["input"].u[0, 0, 1] == 2**23


@needs_lava
def test_many_samples_in_several_blocks_record_only_what_is_asked() -> None:
    rng = np.random.default_rng(8)
    populations = [
        Population("input", (5,), Source()),
        Population("a", (6,), CubaLIF(800, 200, 150)),
        Population("out", (3,), CubaLIF(800, 200, 150)),
    ]
    network = chain(populations, [Dense(weights(rng, 6, 5)), Dense(weights(rng, 3, 6))])
    values = spikes(rng, 150, 6, 5)
    done: list[int] = []
    recording = run(
        network, values, record=("counts",), progress=lambda samples, _: done.append(samples)
    )
    expected = [simulate(network, presented) for presented in values]
    for name in ("input", "a", "out"):
        counts = [(e[name]["spikes"] != 0).sum(axis=0) for e in expected]
        np.testing.assert_array_equal(recording[name].counts, counts)
    np.testing.assert_array_equal(recording.output, [e["out"]["spikes"] for e in expected])
    assert not any(recording["a"].has(what) for what in ("spikes", "u", "v"))
    assert len(done) > 1
    assert done[-1] == 150


# Traces that lava-dl ships with its tests.


@needs_lava
@pytest.mark.slow
def test_ntidigits_with_axonal_delays_is_as_recorded() -> None:
    recorded = TRACES / "ntidigits"
    if not recorded.is_dir():
        pytest.skip("lava-dl's tests are not installed")
    network = load_netx(recorded / "ntidigits.net")
    steps = 600
    values = np.load(recorded / "input.npy").reshape(64, -1).T[:steps].astype(np.int32)
    recording = run(network, values.reshape(1, steps, 1, 1, 64), record=("counts", "spikes"))
    output = np.load(recorded / "output.npy").T[1 : steps + 1]  # recorded one step later
    np.testing.assert_array_equal(recording["4_dense"].spikes[0], output)
    assert output.sum() > 20_000


@needs_lava
@pytest.mark.slow
def test_pilotnet_is_as_recorded_on_the_chip() -> None:
    recorded = TRACES / "pilotnet_lif"
    if not recorded.is_dir():
        pytest.skip("lava-dl's tests are not installed")
    network = load_netx(recorded / "network.net")
    frame = np.load(recorded / "image.npy").T.astype(np.int32)  # already pixel * weight + bias
    values = np.broadcast_to(frame, (1, 16, *frame.shape))
    recording = run(network, values, record=("counts", "spikes", "u"), reset_interval=16)
    layers = [f"conv-{i}" for i in range(5)] + [f"fc-{i}" for i in range(3)]
    for layer, population in zip(layers, network.populations[1:9], strict=True):
        for what, suffix in (("spikes", ""), ("u", "-u")):
            truth = np.load(recorded / f"{layer}{suffix}.npy").T[:16]
            got = getattr(recording[population.name], what)[0]
            np.testing.assert_array_equal(got, truth, f"{population.name}, {what}")


# What Lava cannot hold is refused before any process starts.


def small(neuron: Neuron, weight: NDArray | None = None, **population: object) -> Network:
    target = Population("out", (2,), neuron)
    matrix = np.ones((2, 3), np.int32) if weight is None else weight
    return chain([Population("input", (3,), Source(), **population), target], [Dense(matrix)])


def refusal(network: Network, **options: object) -> str:
    with pytest.raises(UnsupportedError) as caught:
        lava.check(network, RunOptions(steps=4, **options))
    return str(caught.value)


def test_reset_of_sigma_delta_neurons_is_refused() -> None:
    assert "'out'" in refusal(small(SigmaDelta(1)), reset_interval=4)


def test_parameters_that_lava_would_wrap_are_refused() -> None:
    assert "bias -40000" in refusal(small(CubaLIF(1, 1, 1, bias=-40000)))


@pytest.mark.parametrize("outlier", [-257, 129, 256])
def test_weights_that_lava_cannot_hold_are_refused(outlier: int) -> None:
    weight = np.array([[1, -1, 0], [outlier, 3, 5]], np.int32)
    assert "input->out" in refusal(small(CubaLIF(1, 1, 1), weight))


def test_populations_that_lavas_compiler_would_not_find_are_refused() -> None:
    network = small(CubaLIF(1, 1, 1))
    alone = Population("alone", (2,), CubaLIF(1, 1, 1, bias=5))
    network = Network((network.populations[0], alone, network.populations[1]), network.projections)
    assert "'alone'" in refusal(network)


def test_delays_before_a_convolution_are_refused() -> None:
    populations = [
        Population("input", (1, 1, 3), Source(), axon_delay=np.array([0, 1, 2], np.int32)),
        Population("out", (1, 1, 2), CubaLIF(1, 1, 1)),
    ]
    network = chain(populations, [Conv(np.ones((1, 1, 1, 2), np.int32))])
    assert "axonal delays (up to 2 steps)" in refusal(network)


@pytest.mark.parametrize(
    ("low", "high", "factor"), [(-128, 128, 2), (-127, 128, 1), (0, 256, 1), (-255, 1, 1)]
)
@pytest.mark.parametrize("exponent", [0, 3])
def test_lavas_weights_are_ours_exactly(low: int, high: int, factor: int, exponent: int) -> None:
    rng = np.random.default_rng(9)
    weight = (rng.integers(low, high, (40, 60)) * factor << exponent).astype(np.int32)
    mantissa, power = lava_weight(Projection("a", "b", Dense(weight)))
    np.testing.assert_array_equal(mantissa * 2.0**power, weight)


def test_a_missing_interpreter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lava.place_variable, "no-such-python")
    usable, reason = lava.available()
    assert not usable
    assert "no-such-python" in reason
    with pytest.raises(BackendError, match="no-such-python"):
        lava.run(small(CubaLIF(1, 1, 1)), np.zeros((1, 4, 3), np.int32), RunOptions(steps=4))


@needs_lava
def test_another_interpreter_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lava.place_variable, sys.executable)
    usable, reason = lava.available()
    assert usable, reason
    assert "lava-nc" in reason
