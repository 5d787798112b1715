"""The stored form of a network: the same for ever, whatever fields and versions classes get."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import ClassVar

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, NetworkError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    Network,
    Neuron,
    Population,
    Projection,
    Rating,
    Source,
)
from neurodeploy.network.canonical import FIELDS_OF_0_1, fingerprint, flatten, unflatten
from neurodeploy.network.fields import CLASSES, integers
from neurodeploy.remote.job import read_job
from sim_tests.formats.test_files_of_0_1 import FOLDER, TOLD, load
from sim_tests.random_networks import Draw


def tree_of(network):
    arrays = {}
    tree = flatten((network.populations, network.projections, network.audit), arrays)
    return json.loads(json.dumps(tree)), arrays


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_come_back_through_json(seed):
    network = Draw(seed, beyond_netx=True).network
    populations, projections, audit = unflatten(*tree_of(network))
    again = Network(populations, projections, audit)
    assert again == network
    assert again.audit == network.audit
    assert tree_of(again)[0] == tree_of(network)[0]


def test_defaults_are_left_out():
    assert flatten(CubaLIF(1, 2, 3), {}) == {
        "class": "CubaLIF",
        "fields": {"current_decay": 1, "voltage_decay": 2, "threshold": 3},
    }
    arrays = {}
    tree = flatten(GeneralCubaLIF(1, 2, np.arange(3), reset="subtract"), arrays)
    assert tree["fields"]["threshold"] == {"array": "array0"}
    assert arrays["array0"].tolist() == [0, 1, 2]
    assert set(tree["fields"]) == {"current_decay", "voltage_decay", "threshold", "reset"}


def test_the_fields_of_0_1_are_fields_still():
    """A field that is renamed or removed needs a version, and its class a reader of the older."""
    for name, known in FIELDS_OF_0_1.items():
        if CLASSES[name].version == 1:
            assert set(known) <= {item.name for item in fields(CLASSES[name])}, name


@pytest.fixture
def one_field_more(monkeypatch):
    """Let `CubaLIF` have a field more, as a later release may."""

    @dataclass(frozen=True, eq=False)
    class Later(Neuron):
        adapts: int = field(default=5, metadata=integers())

    monkeypatch.setitem(
        CubaLIF.__dataclass_fields__, "adapts", Later.__dataclass_fields__["adapts"]
    )
    monkeypatch.setattr(CubaLIF, "adapts", 5, raising=False)


def test_a_new_field_changes_no_file_and_no_hash(one_field_more, tmp_path):
    assert [item.name for item in fields(CubaLIF)][-1] == "adapts"
    for name in ("spiking.net", "values.net", "fixed.net", "fixed.nir"):
        network = load(name)
        assert network.fingerprint == TOLD[name]["fingerprint"]
        assert network.is_float == TOLD[name]["float"]
        assert not [entry for entry in network.audit if "fingerprint" in entry.element]
    assert read_job(FOLDER / "job")[1].fingerprint == TOLD["spiking.net"]["fingerprint"]
    nd.save(load("spiking.net"), tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net").fingerprint == TOLD["spiking.net"]["fingerprint"]


def test_a_new_field_that_is_not_at_its_default_is_stored_and_hashed(one_field_more):
    neuron = CubaLIF(1, 2, 3)
    before = fingerprint(neuron)
    object.__setattr__(neuron, "adapts", 6)
    assert flatten(neuron, {})["fields"]["adapts"] == 6
    assert fingerprint(neuron) != before


def test_what_a_newer_release_wrote_is_refused_by_name():
    tree = flatten(CubaLIF(1, 2, 3), {})
    with pytest.raises(ValueError, match="CubaLIF: version 2, this neurodeploy reads 1"):
        unflatten({**tree, "version": 2}, {})
    with pytest.raises(ValueError, match="CubaLIF: no field 'adapts'; a newer neurodeploy"):
        unflatten({**tree, "fields": {**tree["fields"], "adapts": 6}}, {})


def test_an_older_version_is_read_by_the_class_itself(monkeypatch):
    tree = flatten(CubaLIF(1, 2, 64), {})
    before = fingerprint(CubaLIF(1, 2, 64))

    def upgrade(version, values):
        assert version == 1
        return {**values, "threshold": values["threshold"] // 64}

    with monkeypatch.context() as later:
        later.setattr(CubaLIF, "version", 2)
        with pytest.raises(ValueError, match="no reader for version 1"):
            unflatten(tree, {})
        later.setattr(CubaLIF, "upgrade", upgrade)
        again = unflatten(tree, {})
        assert again.threshold == 1
        assert flatten(again, {})["version"] == 2
        assert fingerprint(CubaLIF(1, 2, 64)) != before


@dataclass(frozen=True, eq=False)
class OfAStranger(Neuron):
    """A model that somebody has written for themselves."""

    height: int = field(default=3, metadata=integers(0, 9))
    kind: ClassVar[str] = "of-a-stranger"


def with_neuron(neuron):
    return Network(
        (Population("in", (2,), Source()), Population("n", (2,), neuron)),
        (Projection("in", "n", Dense(np.eye(2, dtype=int))),),
    )


def test_a_model_of_a_stranger_is_saved_and_loaded(tmp_path):
    network = with_neuron(OfAStranger(7))
    nd.save(network, tmp_path / "a.net")
    again = nd.load(tmp_path / "a.net")
    assert again == network
    assert again["n"].neuron.height == 7


def test_a_model_that_is_called_as_one_of_ours_cannot_be_saved(tmp_path):
    namesake = dataclass(frozen=True, eq=False)(type("CubaLIF", (CubaLIF,), {}))
    with pytest.raises(NetworkError, match="another class of a network is called so"):
        nd.save(with_neuron(namesake(1, 2, 3)), tmp_path / "a.net")
    assert not (tmp_path / "a.net").exists()
    assert unflatten(flatten(CubaLIF(1, 2, 3), {}), {}).__class__ is CubaLIF


class TestIntegersInNir:
    """What another program changes in a file of ours is told, and never becomes floats silently."""

    @pytest.fixture
    def path(self, tmp_path):
        pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
        path = tmp_path / "fixed.nir"
        path.write_bytes((FOLDER / "fixed.nir").read_bytes())
        return path

    def change(self, path, by):
        with h5py.File(path, "a") as file:
            found = []
            file.visititems(lambda name, item: found.append(name) if name.endswith("out_w/weight")
                            else None)  # fmt: skip
            file[found[0]][0, 0] += by

    def test_other_integers_are_read_as_they_stand(self, path):
        self.change(path, 1)
        network, before = nd.load(path), load("fixed.nir")
        assert not network.is_float
        (entry,) = network.audit.rated(Rating.APPROXIMATE)
        assert entry.element == "metadata/neurodeploy/fingerprint"
        weights = [[p.synapse.weight for p in n.projections] for n in (before, network)]
        changed = [after - old for old, after in zip(*weights, strict=True)]
        assert [int(np.abs(change).sum()) for change in changed if change.any()] == [1]

    def test_what_is_no_integer_any_more_is_said(self, path):
        self.change(path, 0.5)
        network = nd.load(path)
        assert network.is_float
        (entry,) = network.audit.rated(Rating.APPROXIMATE)
        assert entry.element == "metadata/neurodeploy/fingerprint"
        assert "changed since so that they are none now" in entry.reason


def test_a_damaged_tree_is_refused(tmp_path):
    nd.save(with_neuron(GeneralCubaLIF(1, 2, 3, reset="subtract")), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        tree = file["neurodeploy/network"][()].decode()
        del file["neurodeploy/network"]
        file["neurodeploy/network"] = tree[:-3]
    with pytest.raises(FormatError, match="neurodeploy: damaged"):
        nd.load(tmp_path / "a.net")
