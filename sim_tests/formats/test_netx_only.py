"""`netx_only=True`: a file from which a reader of NetX gets the whole network, or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    GeneralCubaLIF,
    InputTransform,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
)
from sim_tests.random_networks import Draw

WEIGHT = np.array([[40, -20], [30, 60]], np.int32)
PLAIN = CubaLIF(current_decay=4096, voltage_decay=0, threshold=200, bias=90)


def chain(neuron=PLAIN, source=None, synapse=None, transform=None, **of_population):
    return Network(
        (
            Population("input", (2,), source or Source(), transform=transform),
            Population("a", (2,), neuron, **of_population),
        ),
        (Projection("input", "a", synapse or Dense(WEIGHT)),),
    )


LATE = np.array([3, 70], np.int32)
WAITS = np.array([[0, 70], [2, 3]], np.int32)

LOST = {
    "starts": (chain(starts=3), "population 'a'.*starts 3 is read back as 0; .*step 0"),
    "fine threshold": (
        chain(SigmaDelta(threshold=98361, fraction_bits=12)),
        "population 'a'.*fraction_bits 12 is read back as 0; .*1/64",
    ),
    "fine bias": (
        chain(SigmaDelta(threshold=128, bias=3, fraction_bits=1)),
        "population 'a'.*neuron.bias 3 is read back as 2",
    ),
    "fine threshold of the input": (
        chain(SigmaDelta(10), source=Delta(threshold=130, fraction_bits=2)),
        "population 'input'.*fraction_bits 2",
    ),
    "exponent of the voltage": (
        chain(GeneralCubaLIF(900, 300, 90, voltage_exponent=-2)),
        "population 'a'.*voltage_exponent -2 is read back as 0",
    ),
    "payloads": (
        chain(source=Source(signed=True)), "population 'input'.*signed True is read back as False",
    ),
    "rounded inputs": (
        chain(SigmaDelta(10), source=Delta(10), transform=InputTransform(64, 0, True)),
        "population 'input'.*rounds_first True",
    ),
    "long axons": (chain(axon_delay=LATE), "population 'a'.*axon_delay"),
    "long synapses": (
        chain(synapse=DelayedDense(WEIGHT, WAITS, beyond_chip=True)),
        "projection input->a.*synapse.delay",
    ),
    "large weights": (
        chain(synapse=Dense(np.array([[400, -20], [30, 60]], np.int32))),
        "projection input->a.*synapse.weight .*max 400.* max 254",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LOST)
def test_what_would_be_lost_is_refused_by_name(tmp_path, what):
    network, said = LOST[what]
    with pytest.raises(UnsupportedError, match=said):
        nd.save(network, tmp_path / "a.net", netx_only=True)
    assert list(tmp_path.iterdir()) == []
    nd.save(network, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == network


SAME = {
    "one value for all": chain(replace(PLAIN, threshold=np.full(2, 200, np.int32))),
    "no delays": chain(axon_delay=np.zeros(2, np.int32)),
    "no delays of synapses": chain(synapse=DelayedDense(WEIGHT, np.zeros((2, 2), np.int32))),
    "a general neuron that is plain": chain(GeneralCubaLIF(900, 300, 90, 5)),
    "a readout": chain(LeakyIntegrator(900, 300, 5)),
    "a weight of the input in doubles": chain(
        SigmaDelta(10), source=Delta(10), transform=InputTransform(6.4 / 3, 0.1)
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_what_runs_the_same_is_written(tmp_path, what):
    network = SAME[what]
    nd.save(network, tmp_path / "a.net", netx_only=True)
    inputs = np.random.default_rng(1).integers(0, 2, (3, 40, 2)).astype(np.int32)
    record = ("spikes", "v")
    found, expected = (
        nd.run(n, inputs, record=record) for n in (nd.load(tmp_path / "a.net"), network)
    )
    assert np.array_equal(found.output, expected.output)
    assert np.array_equal(found["a"].v, expected["a"].v)


def test_what_is_written_runs_the_same_whatever_is_drawn(tmp_path):
    """Random networks with and without what NetX lacks: refused, or the same outputs."""
    written = 0
    for seed in range(40):
        draw = Draw(seed, beyond_netx=seed % 2 == 1)
        start = seed % 3
        populations = [
            replace(p, starts=start) if np.any(getattr(p.neuron, "bias", 0)) else p
            for p in draw.network.populations
        ]
        network = Network(tuple(populations), draw.network.projections)
        path = tmp_path / f"{seed}.net"
        try:
            nd.save(network, path, netx_only=True)
        except UnsupportedError:
            assert not path.exists()
            continue
        written += 1
        inputs = draw.inputs(2)
        outputs = [
            nd.run(n, inputs, apply_transform=False).output for n in (nd.load(path), network)
        ]
        assert np.array_equal(*outputs), seed
    assert 10 < written < 40
