"""What NIR does not say: which reset, when, and what a framework's export leaves out."""

from __future__ import annotations

import itertools
import shutil

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, NetworkError
from neurodeploy.network import Dense as DenseSynapse
from neurodeploy.network import FloatLIF, Network, Population, Projection, Rating, Source

nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")

SNNTORCH = {
    "leaky_subtract": {"reset": "soft"},
    "leaky_subtract_beta5": {"reset": "soft"},
    "leaky_subtract_nodelay": {"reset": "soft", "reset_delay": False},
    "leaky_zero": {"reset": "hard"},
    "rleaky_subtract": {"reset": "soft"},
    "synaptic_subtract": {"reset": "soft"},
}
NORSE = {"preset": "norse", "dt": 1e-6, "reset": "hard"}


def differing(path, truth, name, **options):
    with np.load(truth) as recorded:
        inputs, spikes = recorded["x"], recorded[name]
    assert spikes.sum() > 300
    network = nd.load(path, measure=False, **options)
    mine = nd.run(network, inputs, backend="float", record=("spikes",)).output
    return np.count_nonzero(mine != spikes)


@pytest.mark.parametrize("name", SNNTORCH)
def test_snntorch_networks_give_snntorchs_spikes(name, faults):
    folder = faults / "snntorch"
    options = {"preset": "snntorch", "dt": 1e-4, **SNNTORCH[name]}
    assert differing(folder / f"{name}.nir", folder / "spikes.npz", name, **options) == 0


def test_the_delay_of_the_reset_moves_spikes(faults):
    folder, name = faults / "snntorch", "leaky_subtract_nodelay"
    options = {"preset": "snntorch", "dt": 1e-4, "reset": "soft"}
    assert differing(folder / f"{name}.nir", folder / "spikes.npz", name, **options) > 0


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("lifboxcell", NORSE, 0),
        ("lifcell", NORSE, 0),
        ("lifcell", {**NORSE, "preset": "norse-import"}, 679),
    ],
)
def test_norse_networks_give_norses_spikes_as_trained(name, options, expected, faults):
    folder = faults / "norse"
    found = differing(folder / f"{name}.nir", folder / "spikes.npz", name, **options)
    assert found == expected


def test_w_in_of_one_is_approximate_with_the_spikes_that_hang_on_it(faults):
    with np.load(faults / "norse" / "spikes.npz") as recorded:
        inputs = recorded["x"]
    network = nd.load(faults / "norse" / "lifcell.nir", example=inputs, **NORSE)
    (entry,) = network.audit.rated(Rating.APPROXIMATE)
    assert "read as tau_syn / dt" in entry.reason
    assert entry.effect.differing == 679
    assert entry.effect.compared == 5760


def test_snntorchs_reset_must_be_given(faults):
    path = faults / "snntorch" / "leaky_subtract.nir"
    with pytest.raises(FormatError, match=r"give --reset soft \(snnTorch's default: subtract\)"):
        nd.load(path, preset="snntorch", dt=1e-4)


def test_norses_reset_is_assumed_and_measured(faults):
    path = faults / "norse" / "lifboxcell.nir"
    network = nd.load(path, preset="norse", dt=1e-6)
    (entry,) = network.audit.rated(Rating.APPROXIMATE)
    assert entry.element == "reset"
    assert "give --reset hard or soft" in entry.reason
    assert entry.effect.differing > 0
    assert not nd.load(path, **NORSE).audit.rated(Rating.APPROXIMATE)


@pytest.mark.parametrize(
    ("preset", "words"), [("snntorch", "--dt 1e-4"), ("norse", "--dt 1e-6"), ("sinabs", "--dt 1")]
)
def test_a_missing_time_step_names_the_frameworks(preset, words, faults):
    with pytest.raises(FormatError, match=words):
        nd.load(faults / "norse" / "lifboxcell.nir", preset=preset, reset="hard")


def test_a_time_step_longer_than_norses_time_constants_names_its_square(faults):
    with pytest.raises(NetworkError, match="give the square of it, --dt 1e-6"):
        nd.load(faults / "norse" / "lifcell.nir", preset="norse", dt=1e-3, reset="hard")


def test_a_delay_that_a_framework_has_not_is_refused(faults):
    with pytest.raises(FormatError, match="reset_delay: preset 'norse' resets in one way only"):
        nd.load(faults / "norse" / "lifcell.nir", reset_delay=False, **NORSE)


DT = 1e-4


def lif(shape, tau=10 * DT, **changes):
    tau = np.full(shape, tau)
    values = {"tau": tau, "r": tau / DT, "v_leak": 0 * tau, "v_threshold": 0 * tau + 1,
              "v_reset": 0 * tau}  # fmt: skip
    return nir.LIF(**{**values, **changes})


def chain(shape, nodes, out):
    found = {
        "input": nir.Input({"input": np.array(shape)}),
        **dict(zip("abcde", nodes, strict=False)),
        "output": nir.Output({"output": np.array(out)}),
    }
    return nir.NIRGraph(found, list(itertools.pairwise(found)), type_check=False)


@pytest.fixture
def layers(tmp_path):
    """Two dense layers of LIF neurons, b and d."""
    rng = np.random.default_rng(0)
    first, second = (rng.normal(0.2, 0.8, shape).astype(np.float32) for shape in ((6, 5), (4, 6)))
    nodes = [nir.Linear(first), lif(6), nir.Linear(second), lif(4)]
    nir.write(tmp_path / "net.nir", chain((5,), nodes, (4,)))
    return tmp_path / "net.nir"


def test_each_layer_has_its_own_reset(layers):
    options = {"dt": DT, "preset": "snntorch"}
    network = nd.load(layers, reset={"b": "soft", "*": "hard"}, **options)
    assert [network[name].neuron.reset for name in "bd"] == ["subtract", "value"]
    assert nd.load(layers, reset={"b": "hard", "d": "hard"}, **options) == nd.load(
        layers, reset="hard", **options
    )
    with pytest.raises(FormatError, match="'x' is no neuron node that resets; there are b, d"):
        nd.load(layers, reset={"x": "soft", "*": "hard"}, **options)
    with pytest.raises(FormatError, match="give --reset soft"):
        nd.load(layers, reset={"b": "soft"}, **options)


@pytest.mark.parametrize(
    "reset", ["soft", "hard", "none", {"b": "soft", "d": "hard"}, {"b": "none", "d": "soft"}]
)
@pytest.mark.parametrize("delay", [True, False])
def test_resets_come_back_from_a_file_of_ours(reset, delay, layers, tmp_path):
    options = {"dt": DT, "preset": "snntorch", "reset": reset, "reset_delay": delay}
    network = nd.load(layers, **options)
    nd.save(network, tmp_path / "again.nir")
    assert nd.load(tmp_path / "again.nir") == network


def test_a_repeated_subtraction_is_snntorchs(layers):
    """The float backend against the two lines of snnTorch's Leaky with reset_delay=False."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(0.4, 1.5, (200, 3)).astype(np.float32)
    keep, theta = np.float32(0.9), np.float32(0.5)
    neuron = FloatLIF(
        voltage_keep=keep, threshold=theta, reset="subtract", reset_time="again"
    )  # fmt: skip
    populations = (Population("in", (3,), Source(signed=True)), Population("n", (3,), neuron))
    synapse = DenseSynapse(np.eye(3, dtype=np.float32))
    network = Network(populations, (Projection("in", "n", synapse),))
    v, sent = np.zeros(3, np.float32), []
    for x in inputs:
        before = (v > theta).astype(np.float32)
        v = keep * v + x - before * theta
        sent.append(v > theta)
        v = v - (sent[-1] - before) * theta
    mine = nd.run(network, inputs, backend="float", record=("spikes",)).output[0]
    np.testing.assert_array_equal(mine, sent)
    plain = FloatLIF(voltage_keep=keep, threshold=theta, reset="subtract")
    other = Network((populations[0], Population("n", (3,), plain)), network.projections)
    assert (nd.run(other, inputs, backend="float").output[0] != mine).any()
    with pytest.raises(NetworkError, match="it needs reset 'subtract'"):
        FloatLIF(reset_time="again")


def test_quantizing_names_what_the_chip_does_otherwise_after_a_subtraction(layers):
    network = nd.load(layers, dt=DT, preset="snntorch", reset="soft", reset_delay=False)
    fixed = nd.quantize(network, nd.QuantConfig(bits=8))
    reasons = [entry.reason for entry in fixed.audit.rated(Rating.APPROXIMATE)]
    assert any("fires again" in reason for reason in reasons)


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("kind", ["dense", "conv", "flatten"])
def test_a_batch_in_front_of_the_shapes_is_left_out(batch, kind, tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 72)).astype(np.float32)
    kernel = rng.normal(size=(3, 2, 3, 3)).astype(np.float32)
    flat = nir.Flatten({"input": np.array((batch, 2, 6, 6))}, start_dim=1, end_dim=-1)
    conv = nir.Conv2d((6, 6), kernel, 1, 1, 1, 1, np.zeros(3, np.float32))
    shape, nodes = {
        "dense": ((72,), [nir.Linear(weight), lif(5)]),
        "conv": ((2, 6, 6), [conv, lif((3, 6, 6))]),
        "flatten": ((2, 6, 6), [flat, nir.Linear(weight), lif(5)]),
    }[kind]
    out = nodes[-1].tau.shape
    nir.write(tmp_path / "one.nir", chain(shape, nodes, out))
    nir.write(tmp_path / "batch.nir", chain((batch, *shape), nodes, (batch, *out)))
    one, many = (nd.load(tmp_path / f"{name}.nir", dt=DT) for name in ("one", "batch"))
    inputs = (rng.random((20, *shape)) < 0.3).astype(np.uint8)
    sent, same = (nd.run(net, inputs.reshape(20, *net.input.shape), backend="float").output
                  for net in (one, many))  # fmt: skip
    assert sent.any()
    np.testing.assert_array_equal(sent.ravel(), same.ravel())
    if many.input.shape != one.input.shape:
        assert kind == "flatten"
        assert batch == 1


def change(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def test_nodes_of_older_exporters_lack_what_can_be_told(layers, tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 2, 3, 3)).astype(np.float32)
    conv = nir.Conv2d((6, 6), kernel, 1, 1, 1, 1, np.zeros(3, np.float32))
    affine = nir.Affine(rng.normal(size=(5, 108)).astype(np.float32), np.zeros(5, np.float32))
    flat = nir.Flatten({"input": np.array((3, 6, 6))}, start_dim=0, end_dim=-1)
    whole = tmp_path / "whole.nir"
    nir.write(whole, chain((2, 6, 6), [conv, lif((3, 6, 6)), flat, affine, lif(5)], (5,)))
    older = tmp_path / "older.nir"
    shutil.copy(whole, older)
    gone = ("node/nodes/a/input_shape", "node/nodes/a/bias", "node/nodes/d/bias")

    def remove(file):
        for key in gone:
            del file[key]

    change(older, remove)
    assert nd.load(older, dt=DT) == nd.load(whole, dt=DT)


def test_a_file_without_version_is_nirs(layers):
    change(layers, lambda file: file.__delitem__("version"))
    with pytest.raises(FormatError, match="a NIR file without 'version'"):
        nd.load(layers, dt=DT)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x04"])
def test_a_pickled_graph_is_named(start, tmp_path):
    path = tmp_path / "net.nir"
    path.write_bytes(start + b"archive/data.pkl")
    with pytest.raises(FormatError, match=r"torch\.save.*write it with nir\.write") as caught:
        nd.load(path, dt=DT)
    assert "NetX" not in str(caught.value)


def test_a_text_file_named_nir_is_not_called_netx(tmp_path):
    path = tmp_path / "net.nir"
    path.write_text("nodes")
    with pytest.raises(FormatError, match="a NIR graph is HDF5 with a group 'node'"):
        nd.load(path, dt=DT)


@pytest.mark.parametrize("key", ["tau", "r"])
def test_a_decay_of_one_names_the_if_node(key, layers):
    change(layers, lambda file: file[f"node/nodes/b/{key}"].write_direct(np.full(6, np.inf)))
    with pytest.raises(FormatError, match=f"'b': {key}: 6 of 6 .* write an IF node"):
        nd.load(layers, dt=DT, preset="snntorch", reset="soft")


def test_a_graph_read_without_a_preset_is_true_to_the_file_alone(faults):
    path = faults / "snntorch" / "leaky_subtract.nir"
    entry = next(e for e in nd.load(path, dt=1e-4).audit if e.element == "time")
    assert "no preset was given" in entry.reason
    named = next(e for e in nd.load(path, dt=1e-4, preset="lava").audit if e.element == "time")
    assert "no preset was given" not in named.reason
