"""NetX HDF5: what is read, what is written, and what is refused."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, NetworkError, UnsupportedError
from neurodeploy.network import CubaLIF, Delta, Network, Population, Projection, Sigma, Source
from sim_tests.random_networks import Draw


def write_dense(group, weight, *, kind="dense", **neuron):
    """A layer as SLAYER's dense block exports it."""
    group.create_dataset("type", (1,), "S10", [kind.encode()])
    group["shape"] = np.array([weight.shape[0]])
    group["inFeatures"], group["outFeatures"] = weight.shape[1], weight.shape[0]
    group["weight"] = weight.astype(np.float32)
    settings = {
        "type": "CUBA", "iDecay": 1024, "vDecay": 128, "vThMant": 80, "refDelay": 1,
        "gradedSpike": False, **neuron,
    }  # fmt: skip
    for key, value in settings.items():
        group[f"neuron/{key}"] = value


@pytest.fixture
def simple(tmp_path):
    """A sound two-layer file to break in one place at a time."""
    path = tmp_path / "simple.net"
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        write_dense(file.create_group("layer/0"), 2 * rng.integers(-50, 50, (6, 4)))
        write_dense(file.create_group("layer/1"), 2 * rng.integers(-50, 50, (3, 6)))
    return path


def ratings(network, rating):
    return {entry.element: entry.reason for entry in network.audit if entry.rating == rating}


class TestReading:
    def test_names_and_hops(self, simple):
        network = nd.load(simple)
        assert [p.name for p in network.populations] == ["input", "0_dense", "1_dense"]
        assert [network.hops(p.name) for p in network.populations] == [0, 1, 2]
        assert network.audit.worst == "faithful"

    def test_every_dataset_is_understood_or_named(self, simple):
        with h5py.File(simple, "a") as file:
            file["layer/0/colour"] = 3
            file["layer/0/neuron/mood"] = 3
            file["extra/thing"] = 1
        found = ratings(nd.load(simple), "approximate")
        assert set(found) == {"layer/0/colour", "layer/0/neuron/mood", "extra"}

    def test_old_loihi_neurons_and_flat_weights(self, simple):
        with h5py.File(simple, "a") as file:
            for key, value in {"wgtExp": 0, "theta": 1.25, "tauRho": 1.0, "scaleRho": 1.0}.items():
                file[f"layer/1/neuron/{key}"] = value
            del file["layer/1/neuron/type"]
            file["layer/1/neuron/type"] = "LOIHI"
            weight = file["layer/1/weight"][:]
            del file["layer/1/weight"]
            file["layer/1/weight"] = weight.ravel()
        network = nd.load(simple)
        np.testing.assert_array_equal(network.projections[1].synapse.weight, weight)
        assert network.audit.worst == "faithful"

    def test_fractional_weights_are_rounded_and_said(self, simple):
        with h5py.File(simple, "a") as file:
            file["layer/0/weight"][0, 0] = 3.75
        network = nd.load(simple)
        assert network.projections[0].synapse.weight[0, 0] == 4
        assert "0.25" in ratings(network, "approximate")["layer/0/weight"]

    def test_weights_beyond_the_chip_are_clipped_and_counted(self, simple):
        with h5py.File(simple, "a") as file:
            file["layer/0/weight"][0, :2] = [300, -400]
        network = nd.load(simple)
        np.testing.assert_array_equal(network.projections[0].synapse.weight[0, :2], [254, -256])
        assert "2 of 24" in ratings(network, "approximate")["layer/0/weight"]
        assert [network.weights_clipped(p) for p in network.projections] == [2, 0]

    def test_the_count_of_clipped_weights_is_in_the_recording(self, simple, tmp_path):
        with h5py.File(simple, "a") as file:
            layer = file["layer/1"]
            layer["weight"][0, 0] = 999
            layer["weight_rec"] = np.array([[300, -2, -2], [-300, 4, 4], [400, 0, 0]], np.float32)
            del layer["type"]
            layer.create_dataset("type", (1,), "S10", [b"dense_rec"])
        network = nd.load(simple)
        expected = {"input->0_dense": 0, "0_dense->1_dense_rec": 1, "1_dense_rec->1_dense_rec": 3}
        inputs = np.ones((3, 5, 4), np.int32)
        assert nd.run(network, inputs).weights_clipped() == expected
        nd.run(network, inputs, out=tmp_path / "a.h5")
        assert nd.Recording.load(tmp_path / "a.h5").weights_clipped() == expected

    def test_all_inhibitory_weights_are_kept(self, simple):
        weight = -np.arange(1, 25).reshape(6, 4) * 8
        with h5py.File(simple, "a") as file:
            file["layer/0/weight"][:] = weight
        np.testing.assert_array_equal(nd.load(simple).projections[0].synapse.weight, weight)

    def test_delays_are_floored_and_clamped(self, simple):
        with h5py.File(simple, "a") as file:
            file["layer/0/delay"] = np.array([0, 1.9, 5, 62, 64, 100], np.float32)
        network = nd.load(simple)
        np.testing.assert_array_equal(network["0_dense"].axon_delay, [0, 1, 5, 62, 62, 62])
        assert "2 of 6" in ratings(network, "approximate")["layer/0/delay"]

    def test_unsupported_stops_unless_allowed_by_name(self, simple):
        element = "layer/0/neuron/weight_exp"
        with h5py.File(simple, "a") as file:
            file[element] = 2.0
        with pytest.raises(UnsupportedError, match=element):
            nd.load(simple)
        network = nd.load(simple, allow=[element])
        assert element in ratings(network, "unsupported")

    def test_a_dense_layer_without_a_neuron_is_named(self, simple):
        with h5py.File(simple, "a") as file:
            del file["layer/1/neuron"]
        network = nd.load(simple)
        assert "integrator" in ratings(network, "approximate")["layer/1/neuron"]

    def test_per_channel_decays(self, simple):
        with h5py.File(simple, "a") as file:
            del file["layer/0/neuron/iDecay"]
            file["layer/0/neuron/iDecay"] = np.arange(6) * 100
        neuron = nd.load(simple)["0_dense"].neuron
        np.testing.assert_array_equal(neuron.current_decay, np.arange(6) * 100)

    def test_shipped_networks_are_read_without_remarks(self, netx_truth):
        for path in netx_truth.rglob("*.net"):
            network = nd.load(path)
            noted = ratings(network, "approximate")
            # mnist.net ends without a neuron; SLAYER's norms act later in training.
            others = {e for e, why in noted.items() if "SLAYER's training" not in why}
            assert others <= {"layer/3/neuron"}, path


class TestWriting:
    @pytest.mark.parametrize("seed", range(60))
    def test_writing_then_reading_gives_the_same_network(self, seed, tmp_path):
        network = Draw(seed).network
        nd.save(network, tmp_path / "copy.net", netx_only=True)
        copy = nd.load(tmp_path / "copy.net")
        assert copy == network
        assert copy.audit.worst == "faithful"

    def test_shipped_networks_survive_the_round_trip(self, netx_truth, tmp_path):
        for path in netx_truth.rglob("*.net"):
            network = nd.load(path)
            nd.save(network, tmp_path / "copy.net")
            copy = nd.load(tmp_path / "copy.net")
            assert copy == network, path
            assert copy.metadata == network.metadata

    def test_case_networks_survive_the_round_trip(self, cases, tmp_path):
        for path in cases.rglob("*.net"):
            if "hostile" in path.parts:
                continue  # no networks
            network = nd.load(path)
            nd.save(network, tmp_path / "copy.net")
            assert nd.load(tmp_path / "copy.net") == network, path

    def test_a_branch_is_refused(self, tmp_path):
        from neurodeploy.network import Dense

        one = Dense(np.ones((1, 1), np.int32))
        network = Network(
            tuple(Population(n, (1,), Source() if n == "input" else Sigma()) for n in
                  ("input", "a", "b")),
            (Projection("input", "a", one), Projection("input", "b", one)),
        )  # fmt: skip
        with pytest.raises(UnsupportedError, match="chain"):
            nd.save(network, tmp_path / "x.net", netx_only=True)
        assert list(tmp_path.iterdir()) == []

    def test_unknown_suffix_and_unwritable_path(self, simple, tmp_path):
        network = nd.load(simple)
        folder = tmp_path / "folder.net"
        folder.mkdir()
        with pytest.raises(FormatError, match="suffix"):
            nd.save(network, tmp_path / "x.doc")
        with pytest.raises(FormatError, match="cannot write"):
            nd.save(network, tmp_path / "no" / "x.net")
        with pytest.raises(FormatError, match="folder"):
            nd.save(network, folder)


def set_value(path, value):
    def change(file):
        if path in file:
            del file[path]
        if value is not None:
            file[path] = value

    return change


BROKEN = {
    "missing layer": (lambda f: f.move("layer/1", "layer/2"), FormatError, "layer/1: missing"),
    "no layers": (lambda f: f.move("layer", "other"), FormatError, "no group 'layer'"),
    "missing type": (set_value("layer/0/type", None), FormatError, "layer/0/type"),
    "unknown type": (set_value("layer/0/type", "pancake"), FormatError, "'pancake'"),
    "unsupported type": (set_value("layer/0/type", "concat"), UnsupportedError, "'concat'"),
    "unknown neuron": (set_value("layer/0/neuron/type", "HH"), FormatError, "'HH'"),
    "missing adaptation": (set_value("layer/0/neuron/type", "ALIF"), FormatError, "thDecay"),
    "missing weight": (set_value("layer/0/weight", None), FormatError, "layer/0/weight"),
    "missing decay": (set_value("layer/0/neuron/iDecay", None), FormatError, "iDecay"),
    "missing shape": (set_value("layer/1/shape", None), FormatError, "layer/1/shape"),
    "missing neuron type": (set_value("layer/0/neuron/type", None), FormatError, "neuron/type"),
    "nan weight": (set_value("layer/0/weight", np.full((6, 4), np.nan)), FormatError, "NaN"),
    "text weight": (set_value("layer/0/weight", "many"), FormatError, "needs numbers"),
    "wrong weight shape": (set_value("layer/0/weight", np.ones((5, 4))), FormatError, "(5, 4)"),
    "broken chain": (set_value("layer/1/weight", np.ones((3, 7))), FormatError, "takes 7 inputs"),
    "decay too large": (set_value("layer/0/neuron/vDecay", 5000), FormatError, "0..4096"),
    "negative threshold": (set_value("layer/0/neuron/vThMant", -1), FormatError, "holds -1"),
    "fractional decay": (set_value("layer/0/neuron/iDecay", 0.5), FormatError, "whole numbers"),
    "bias of wrong size": (set_value("layer/0/bias", np.ones(5)), FormatError, "needs 1, 6"),
    "bias too large": (set_value("layer/0/bias", np.full(6, 1e6)), FormatError, "32767"),
    "negative delay": (set_value("layer/0/delay", np.full(6, -1.0)), FormatError, "0..62"),
    "delay of wrong size": (set_value("layer/0/delay", np.ones(5)), FormatError, "needs 1, 6"),
    "shape of two": (set_value("layer/0/shape", np.array([2, 3])), FormatError, "(2, 3)"),
    "shape of zero": (set_value("layer/0/shape", np.array([0])), FormatError, "layer/0/shape"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_gets_one_line_that_names_the_fault(simple, fault):
    change, kind, text = BROKEN[fault]
    with h5py.File(simple, "a") as file:
        change(file)
    with pytest.raises(kind) as caught:
        nd.load(simple)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(simple) in str(caught.value) or kind is NetworkError


def test_not_a_file_not_hdf5_and_cut_short(simple, tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        nd.load(tmp_path / "none.net")
    with pytest.raises(FormatError, match="folder"):
        nd.load(tmp_path)
    (tmp_path / "text.net").write_text("hello")
    with pytest.raises(FormatError, match="not an HDF5 file"):
        nd.load(tmp_path / "text.net")
    whole = simple.read_bytes()
    for length in (600, len(whole) // 2, len(whole) - 200):
        (tmp_path / "cut.net").write_bytes(whole[:length])
        with pytest.raises(FormatError) as caught:
            nd.load(tmp_path / "cut.net")
        assert "\n" not in str(caught.value)


def test_a_convolution_that_does_not_fit_is_named(netx_truth, tmp_path):
    path = tmp_path / "tiny.net"
    shutil.copy(netx_truth / "tiny.net", path)
    with h5py.File(path, "a") as file:
        file["layer/1/stride"][:] = 1
    with pytest.raises(NetworkError, match="input->1_conv"):
        nd.load(path)


def test_input_layers(tmp_path):
    path = tmp_path / "input.net"
    network = Network(
        (Population("input", (2, 3, 4), Delta(6)), Population("1_conv", (2, 3, 4), Sigma())),
        (Projection("input", "1_conv", _one_to_one()),),
    )
    nd.save(network, path)
    assert nd.load(path) == network
    assert isinstance(nd.load(path).input.neuron, Delta)
    assert not isinstance(nd.load(path).input.neuron, CubaLIF)


def _one_to_one():
    from neurodeploy.network import Conv

    return Conv(np.eye(2, dtype=np.int32).reshape(2, 2, 1, 1))
