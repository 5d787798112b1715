"""A population run again by itself does what it did in its network."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.engine.replay import Messages, replay
from neurodeploy.errors import InputError
from sim_tests.random_networks import Draw


@pytest.mark.parametrize("seed", range(12))
def test_every_population_of_a_random_network_does_the_same_alone(seed):
    draw = Draw(seed, beyond_netx=seed % 2 == 1)
    network, inputs = draw.network, draw.inputs(samples=2, steps=20)
    recording = nd.run(network, inputs, record=("spikes", "u", "v"), apply_transform=False)
    for population in network.populations:
        name = population.name
        if population is network.input and not population.neuron.states:
            continue
        messages = {
            p.source: Messages.of(recording[p.source].spikes.reshape(2, 20, -1))
            for p in network.into(name)
        }
        again = replay(network, name, messages, values=inputs.reshape(2, 20, -1))
        record = recording[name]
        np.testing.assert_array_equal(again.spikes, record.spikes.reshape(2, 20, -1))
        for state, kept in again.states.items():
            np.testing.assert_array_equal(kept, getattr(record, state).reshape(2, 20, -1))


def test_what_is_missing_is_named():
    network = Draw(3).network
    name = network.output.name
    with pytest.raises(InputError, match=f"{name}.*messages of"):
        replay(network, name, {})
