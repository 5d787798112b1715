"""Networks of every kind through a file and back, and files that others have changed."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, UnsupportedError
from neurodeploy.formats.netx.whole_network import layer_hash
from neurodeploy.hdf5_tree import Group
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    AdaptiveResonateFire,
    Audit,
    AuditEntry,
    Average,
    CubaLIF,
    GeneralCubaLIF,
    GradedThreshold,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Rating,
    Readout,
    ResonateFireIzhikevich,
    SigmaDelta,
    Source,
    TernaryLIF,
    Threshold,
)
from neurodeploy.network.synapses import Dense
from sim_tests import random_synapses
from sim_tests.random_networks import Draw

NEURONS = (
    CubaLIF(300, 200, 100, 3),
    GeneralCubaLIF(300, 200, 100, 5, "current", "subtract", 3, True, -6, -2),
    GeneralCubaLIF(300, 200, 100, reset="subtract-late", refractory=2, reset_amount=6500),
    LeakyIntegrator(300, 200, 4),
    TernaryLIF(300, 200, 90, -80),
    ALIF(300, 200, 30, 40, 100, 9),
    AdaptiveCubaLIF(300, 200, 5, 100, 384, 3),
    SigmaDelta(900, 40, False, 5),
    Threshold(40),
    GradedThreshold(30, True),
)
TURNING = (
    ResonateFireIzhikevich(1200, 3500, 60),
    AdaptiveResonateFire(1200, 3500, 30, 40, 60, 7, True),
)


def round_trip(network, path):
    nd.save(network, path)
    again = nd.load(path)
    assert again == network
    assert again.metadata == network.metadata
    return again


@pytest.mark.parametrize("seed", range(60))
def test_random_networks(tmp_path, seed):
    round_trip(Draw(seed, beyond_netx=seed % 2 == 1).network, tmp_path / "a.net")


@pytest.mark.parametrize("kind", random_synapses.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_every_synapse_with_every_neuron(tmp_path, kind, seed):
    synapse, source, target = random_synapses.draw(kind, seed)
    for index, neuron in enumerate(TURNING if synapse.ports == 2 else NEURONS):
        size = int(np.prod(target))
        network = Network(
            (
                Population("in put/1", source, Source()),
                Population("b", target, neuron, np.arange(size, dtype=np.int32) % 5, starts=index),
            ),
            (Projection("in put/1", "b", synapse),),
            metadata={"readout/time_decimation": 4, "a": "b", "c": 0.5},
        )
        round_trip(network, tmp_path / "a.net")


def branched():
    rng = np.random.default_rng(0)
    weight = Dense((2 * rng.integers(-40, 50, (6, 6))).astype(np.int32))
    names = ("input", "a", "b", "c")
    populations = (
        Population("input", (6,), Source()),
        *(Population(name, (6,), CubaLIF(900, 300, 70)) for name in names[1:]),
        Population("late", (6,), Average(1), np.full(6, 2, np.int32)),
    )
    ways = (("input", "a"), ("a", "b"), ("b", "c"), ("a", "c"), ("c", "a"))
    projections = (*(Projection(*way, weight) for way in ways), Projection("c", "late", Readout()))
    audit = Audit((AuditEntry("a", Rating.APPROXIMATE, "because"),))
    return Network(populations, projections, audit)


def test_branches_and_cycles_and_the_audit(tmp_path):
    again = round_trip(branched(), tmp_path / "a.net")
    assert again.audit == branched().audit
    spikes = (np.random.default_rng(1).random((2, 30, 6)) < 0.4).astype(np.int32)
    assert np.array_equal(nd.run(again, spikes).output, nd.run(branched(), spikes).output)
    with h5py.File(tmp_path / "a.net") as file:
        assert list(file) == ["neurodeploy"]  # half a chain would run as another network


def test_half_a_chain_is_refused_where_netx_alone_is_asked_for(tmp_path):
    with pytest.raises(UnsupportedError, match="chain only"):
        nd.save(branched(), tmp_path / "a.net", netx_only=True)
    assert not (tmp_path / "a.net").exists()


def chain(starts=0):
    weight = Dense(np.arange(-12, 12, 2, dtype=np.int32).reshape(3, 4))
    return Network(
        (
            Population("input", (4,), Source()),
            Population("0_dense", (3,), CubaLIF(900, 300, 70, 8), starts=starts),
        ),
        (Projection("input", "0_dense", weight),),
    )


def test_a_chain_that_netx_holds_is_netx_alone(tmp_path):
    round_trip(chain(), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert list(file) == ["layer"]


def edit(path, old, new):
    """Change the tree that a file holds."""
    with h5py.File(path, "a") as file:
        tree = file["neurodeploy/network"][()].decode()
        assert old in tree
        del file["neurodeploy/network"]
        file["neurodeploy/network"] = tree.replace(old, new)


class TestFilesOfOthers:
    @pytest.fixture
    def path(self, tmp_path):
        nd.save(chain(starts=1), tmp_path / "a.net")
        return tmp_path / "a.net"

    def test_both_parts_are_there(self, path):
        assert nd.load(path)["0_dense"].starts == 1
        with h5py.File(path, "a") as file:
            assert set(file) == {"layer", "neurodeploy"}
            del file["neurodeploy"]  # what a program that knows NetX alone sees
        assert nd.load(path) == chain()

    def test_an_edited_layer_is_noticed_and_read(self, path):
        with h5py.File(path, "a") as file:
            file["layer/0/neuron/vThMant"][()] = 99
        network = nd.load(path)
        assert network["0_dense"].neuron.threshold == 99
        noted = {e.element: e.reason for e in network.audit.rated(Rating.APPROXIMATE)}
        assert set(noted) == {"neurodeploy", "layer/0/bias"}
        assert "changed by another program" in noted["neurodeploy"]

    def test_an_edited_group_is_read_as_it_stands_and_the_audit_says_so(self, path):
        edit(path, '"threshold": 70', '"threshold": 99')
        network = nd.load(path)
        assert network["0_dense"].neuron.threshold == 99
        (entry,) = network.audit.rated(Rating.APPROXIMATE)
        assert entry.element == "neurodeploy/fingerprint"
        assert "of another network: the file was changed" in entry.reason

    @pytest.mark.parametrize("name", ["Path", "Network", "annotations"])
    def test_classes_that_are_none_of_ours_are_refused(self, path, name):
        edit(path, '"class": "CubaLIF"', f'"class": "{name}"')
        with pytest.raises(FormatError, match="damaged"):
            nd.load(path)

    def test_a_newer_version_is_refused(self, path):
        with h5py.File(path, "a") as file:
            file["neurodeploy"].attrs["version"] = 3
        with pytest.raises(FormatError, match=r"version 3, this neurodeploy reads 1\.\.2"):
            nd.load(path)


def test_lists_make_the_same_network_as_tuples(tmp_path):
    network = Draw(3).network
    listed = Network(list(network.populations), list(network.projections))
    plain = Network(network.populations, network.projections)
    assert listed == plain
    nd.save(listed, tmp_path / "listed.net")
    assert nd.load(tmp_path / "listed.net") == plain


@pytest.mark.parametrize(
    ("held", "read"),
    [(0, np.int64(0)), (0.5, np.float64(0.5)), ("a", np.str_("a")), ([1, 2], np.array([1, 2]))],
)
def test_the_hash_of_layers_is_that_of_any_numpy(held, read):
    """NumPy 2 writes types into the `repr` of its numbers; a network read by it was another one."""

    def hashed(value):
        file = Group()
        file.require_group("layer").require_group("0").attrs["starts"] = value
        return layer_hash(file)

    assert hashed(held) == hashed(read) != hashed(7)
    text = hashlib.sha256(b"0starts=" + repr(held).encode()).hexdigest()
    assert isinstance(held, list) or hashed(read) == text  # as NumPy 1 wrote it
