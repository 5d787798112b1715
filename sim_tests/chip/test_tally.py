"""What the core counts of messages on a placement equals sums over neurons in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip.routes import all_routes
from neurodeploy.chip.synops_per_core import operations
from neurodeploy.chip.tally import reads_of_way, tallies
from neurodeploy.network import Conv, CubaLIF, Dense, Network, Population, Projection, Source
from sim_tests.random_networks import Draw


def image_network(groups: int) -> Network:
    """Two convolutions whose channels share cores in some places and not in others, and a list."""
    shapes = ((4, 24, 24), (128, 22, 22), (128, 20, 20), (30,))
    names = ("input", "wide", "deep", "output")
    neurons = (Source(), *[CubaLIF(1024, 300, 90)] * 3)
    rng = np.random.default_rng(2)
    synapses = (
        Conv(rng.integers(-60, 60, (128, 4, 3, 3))),
        Conv(rng.integers(-60, 60, (128, 128 // groups, 3, 3)), groups=groups),
        Dense(rng.integers(-9, 9, (30, 128 * 20 * 20))),
    )
    return Network(
        tuple(map(Population, names, shapes, neurons)),
        tuple(map(Projection, names, names[1:], synapses)),
    )


NETWORKS = {
    "image": lambda: image_network(1),
    "grouped": lambda: image_network(4),
    **{f"random {seed}": lambda seed=seed: Draw(seed).network for seed in range(12)},
}


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_core_counts_what_numpy_adds_up_neuron_by_neuron(name, chip):
    placement = nd.fit(NETWORKS[name](), chip)
    rng, known = np.random.default_rng(7), tallies(placement)
    shapes = {n: (3, *placement.laid_out[n].shape) for n in known}
    counts = {n: rng.integers(0, 9, s) * (rng.random(s) < 0.3) for n, s in shapes.items()}
    found = {n: known[n].count(counts[n]) for n in known}
    flat = {n: c.reshape(3, -1).astype(np.float64) for n, c in counts.items()}
    for n, tally in known.items():
        np.testing.assert_array_equal(found[n][:, 0], flat[n].sum(axis=1))
        own = [p for p in placement.partitions if p.population.name == n]
        for core, piece in enumerate(own[0].pieces if own else ()):
            here = piece.indices(placement.laid_out[n].shape)
            np.testing.assert_array_equal(
                tally.of_cores(found[n])[:, core], flat[n][:, here].sum(axis=1)
            )
    for way in all_routes(placement):
        n = way.projection.source
        number = known[n].ways.index(way)
        each = np.stack([way.copies, way.east_west, way.north_south], axis=1)
        np.testing.assert_array_equal(known[n].of_way(number, found[n]), flat[n] @ each)
        read = reads_of_way(placement, known[n], number, found[n], counts[n])
        np.testing.assert_array_equal(read, operations(placement, way.projection, flat[n]))


def test_channels_of_a_position_share_a_row_where_they_are_alike():
    known = tallies(nd.fit(image_network(1), "loihi2"))
    assert len(known["input"].starts) - 1 == 24 * 24
    assert len(known["wide"].starts) - 1 < 128 * 22 * 22


def test_fractions_of_messages_are_counted_too():
    tally = tallies(nd.fit(image_network(1), "loihi2"))["input"]
    whole = np.random.default_rng(1).integers(0, 9, (2, 4, 24, 24))
    np.testing.assert_array_equal(tally.count(whole / 4), tally.count(whole) / 4)
