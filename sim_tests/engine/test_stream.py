"""One step at a time gives what a whole run gives, to the bit."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from sim_tests.engine.test_synapses import inputs_of, network_of
from sim_tests.random_networks import Draw
from sim_tests.random_synapses import KINDS, draw, with_loop_and_taps


@pytest.mark.parametrize("seed", range(60))
def test_streaming_equals_running(seed):
    draw = Draw(seed)
    values = draw.inputs(steps=40)
    whole = nd.run(draw.network, values, apply_transform=False)
    with nd.stream(draw.network, apply_transform=False) as stream:
        for turn in range(2):
            steps = [stream.step(x) for x in values[0]]
            np.testing.assert_array_equal(np.array(steps), whole.output[0], f"turn {turn}")
            stream.reset()


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_streams(kind):
    """Delays of synapses and taps in time reach back further than one step."""
    for seed in range(400, 406):
        network = network_of(*draw(kind, seed))
        values = inputs_of(network, seed, samples=1, steps=40)
        whole = nd.run(network, values)
        with nd.stream(network) as stream:
            steps = np.array([stream.step(x) for x in values[0]])
        np.testing.assert_array_equal(steps, whole.output[0], f"seed {seed}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_gated_stream_is_the_same_without_the_lag(kind):
    """All operators, a biased population that is fed by itself, too, and taps in time."""
    rng = np.random.default_rng(7)
    for seed in range(400, 403):
        network = with_loop_and_taps(network_of(*draw(kind, seed)), rng)
        lag = network.hops("tapped")
        values = inputs_of(network, seed, samples=1, steps=40)
        whole = nd.run(network, values, steps=40 + lag).output[0]
        with nd.stream(network, gated=True) as stream:
            for _ in range(2):
                steps = np.array([stream.step(x) for x in values[0]])
                np.testing.assert_array_equal(steps, whole[lag:], f"seed {seed}")
                stream.reset()
        assert steps.any()


def test_what_cannot_be_gated_is_refused():
    matrix = Dense(np.ones((3, 3), np.int32))
    names = ("there", "back")
    network = Network(
        [
            Population("input", (3,), Source()),
            *(Population(n, (3,), CubaLIF(0, 0, 9)) for n in names),
        ],
        [Projection(*pair, matrix) for pair in (("input", "there"), names, names[::-1])],
    )
    with pytest.raises(UnsupportedError, match="feed each other in a loop"):
        nd.stream(network, gated=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_a_long_stream_does_not_grow():
    draw = next(d for d in map(Draw, range(50)) if d.network.output.axon_delay is not None)
    values = draw.inputs(steps=10)[0]
    stream = nd.stream(draw.network, apply_transform=False)

    def bytes_after(turns):
        for _ in range(turns):
            for x in values:
                stream.step(x)
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = bytes_after(100)
    assert bytes_after(5000) - before < 1 << 20  # 20 bytes a step
    assert stream.steps == 51_000


def test_bad_input_and_a_closed_stream(cases):
    network = nd.load(cases / "ndns" / "network.net")
    with nd.stream(network) as stream:
        with pytest.raises(InputError, match="shape"):
            stream.step(np.zeros(256))
        assert stream.step(np.zeros(257)).shape == (257,)
    with pytest.raises(InputError, match="closed"):
        stream.step(np.zeros(257))


def test_the_denoising_network_keeps_up(cases):
    """A 257-512-512-257 sigma-delta net steps well within its 8 ms hop."""
    network = nd.load(cases / "ndns" / "network.net")
    rng = np.random.default_rng(0)
    frames = np.abs(np.cumsum(rng.integers(-4, 5, (300, 257)), axis=0))
    whole = nd.run(network, frames)
    seconds, steps = [], []
    with nd.stream(network) as stream:
        for frame in frames:
            began = time.perf_counter()
            steps.append(stream.step(frame))
            seconds.append(time.perf_counter() - began)
    np.testing.assert_array_equal(np.array(steps), whole.output[0])
    assert whole.output.any()
    assert np.median(seconds) < 8e-3
