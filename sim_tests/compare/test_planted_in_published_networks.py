"""Defects of weights and parameters, planted in every layer of lava-dl's own networks.

These networks are too large for the slow simulator: the engine runs the faulty
network, and the diagnosis has to find its way back from the recordings.
"""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from sim_tests.compare.planted import parameter_faults
from sim_tests.compare.test_planted_faults import is_named

RECORD = ("spikes", "u", "v")


def pilotnet(truth):
    folder = truth / "gts" / "pilotnet_lif"
    image = np.load(folder / "image.npy").transpose(2, 1, 0)
    frames = (np.broadcast_to(image, (20, *image.shape)) - 36) / 40
    return nd.load(folder / "network.net"), frames[None]


def ntidigits(truth):
    network = nd.load(truth / "gts" / "ntidigits" / "ntidigits.net")
    rng = np.random.default_rng(0)
    return network, (rng.random((2, 40, *network.input.shape)) < 0.15).astype(np.int32)


def mnist(truth):
    network = nd.load(truth / "mnist.net")
    rng = np.random.default_rng(0)
    return network, rng.integers(0, 40, (2, 20, *network.input.shape))


@pytest.mark.parametrize(
    "make",
    [pytest.param(pilotnet, marks=pytest.mark.slow), ntidigits, mnist],
    ids=["pilotnet", "ntidigits", "mnist"],
)
def test_planted_faults_are_located_and_named_in_every_layer(make, netx_truth, capsys):
    network, inputs = make(netx_truth)
    sound = nd.run(network, inputs, record=RECORD)
    rng = np.random.default_rng(0)
    planted, named, wrong = 0, 0, []
    for population in network.populations[1:]:
        for fault in parameter_faults(network, population.name, rng):
            faulty = nd.run(fault.network, inputs, record=RECORD)
            if nd.compare(sound, faulty, anyway=True).equal:
                continue  # it changes nothing that was recorded
            result = nd.compare(sound, faulty, anyway=True, net=network, inputs=inputs)
            planted += 1
            assert result.first_divergence.population == population.name
            if is_named(fault.pattern, result.diagnosis.pattern):
                named += 1
            else:
                wrong.append((population.name, fault.pattern, result.diagnosis.words))
    with capsys.disabled():
        print(f"\n{make.__name__}: {planted} faults located, {named} named")
    assert planted >= 5
    assert named >= 0.9 * planted, wrong
