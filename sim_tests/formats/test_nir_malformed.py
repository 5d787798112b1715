"""Malformed and hostile NIR files end in one clear line, before anything large is allocated."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import (
    FormatError,
    NetworkError,
    NeurodeployError,
    UnsupportedError,
)

nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")

F = np.float32


@pytest.fixture
def sound(tmp_path):
    """A sound graph: input, fc (4 x 3), lif, output."""
    tau = np.full(4, 1e-3)
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "fc": nir.Affine(np.ones((4, 3), F), np.zeros(4, F)),
        "lif": nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1),
        "output": nir.Output({"output": np.array([4])}),
    }
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), ("lif", "output")]))
    assert nd.load(path, dt=1e-4).is_float
    return path


def broken(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(NeurodeployError) as caught:
        nd.load(path, dt=1e-4)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    return line


def put(file, key, value, **how):
    if key in file:
        del file[key]
    file.create_dataset(key, data=value, **how)


def edges(*pairs):
    return lambda file: put(file, "node/edges", np.array(pairs, "S16"))


SOUND = [("input", "fc"), ("fc", "lif"), ("lif", "output")]


def remove(key):
    def change(file):
        del file[key]

    return change


def setting(key, value):
    return lambda file: put(file, key, value)


CHANGES = {
    "edge to nowhere": (edges(*SOUND, ("lif", "gone")), "edge 'lif' -> 'gone': no node 'gone'"),
    "no edges": (setting("node/edges", np.zeros((0, 2), "S1")), "no edges"),
    "edges of three": (setting("node/edges", np.zeros((2, 3), "S1")), r"shape (2, 3)"),
    "no nodes": (remove("node/nodes"), "no nodes"),
    "missing node": (remove("node/nodes/lif"), "no node 'lif'"),
    "no input": (remove("node/nodes/input"), "no node 'input'"),
    "no output": (
        lambda f: (remove("node/nodes/output")(f), edges(*SOUND[:2])(f)),
        "0 Output nodes (none), needs exactly one",
    ),
    "unconnected": (edges(*SOUND[1:]), "node 'fc' (Affine): nothing leads to it"),
    "cycle without neuron": (
        edges(*SOUND, ("fc", "fc")), "node 'fc' (Affine): weight of shape (4, 3) on a signal"
    ),
    "into the input": (edges(*SOUND, ("lif", "input")), "'lif' leads into it"),
    "out of the output": (edges(*SOUND, ("output", "fc")), "leads on to 'fc'"),
    "wrong shape": (
        setting("node/nodes/fc/weight", np.ones((4, 5), F)),
        "node 'fc' (Affine): weight of shape (4, 5) on a signal of shape (3,); needs (outputs, 3)",
    ),
    "too few neurons": (setting("node/nodes/fc/weight", np.ones((2, 3), F)), "node 'fc'"),
    "unlike parameters": (setting("node/nodes/lif/tau", np.ones(3)), "node 'lif' (LIF): cannot be"),
    "missing parameter": (remove("node/nodes/lif/tau"), "node 'lif' (LIF): cannot be read"),
    "unknown type": (setting("node/nodes/lif/type", "Izhikevich"), "type 'Izhikevich' is not one"),
    "a type that is no node": (setting("node/nodes/lif/type", "write"), "type 'write' is not one"),
    "no type": (remove("node/nodes/lif/type"), "type None is not one"),
    "not a number": (
        setting("node/nodes/fc/weight", np.full((4, 3), np.nan, F)), "12 of 12 values are NaN"
    ),
    "time constant of zero": (setting("node/nodes/lif/tau", np.zeros(4)), "needs more than 0"),
    "shorter than a step": (
        setting("node/nodes/lif/tau", np.full(4, 1e-5)), "shorter than the time step of 0.0001 s"
    ),
    "newer version": (setting("version", "2.3"), "NIR version 2.3, newer than the"),
    "strange version": (setting("version", "new"), "version 'new' is no NIR version"),
    "output of another shape": (setting("node/nodes/output/shape", np.array([9])), "claims shape"),
    "input of no neurons": (setting("node/nodes/input/shape", np.array([0])), "shape (0,)"),
    "input of too many": (
        setting("node/nodes/input/shape", np.array([1 << 20, 1 << 20])), "neurons, limit"
    ),
    "a single node": (setting("node/type", "LIF"), "a single LIF node; write a NIRGraph"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_malformed_graphs_end_in_one_line(name, sound):
    change, words = CHANGES[name]
    assert words in broken(sound, change)


def test_cycle_without_a_neuron(sound):
    square = np.ones((4, 4), F)

    def change(file):
        for name in ("a", "b"):
            put(file, f"node/nodes/{name}/weight", square)
            put(file, f"node/nodes/{name}/type", "Linear")
        edges(*SOUND, ("fc", "a"), ("a", "b"), ("b", "a"), ("b", "lif"))(file)

    assert "part of a cycle without a neuron" in broken(sound, change)


@pytest.mark.parametrize("name", ["dia30", "dag60"])
def test_exponentially_many_ways_are_counted_not_followed(name, faults):
    with pytest.raises(NetworkError, match="more than 1000 ways lead into it"):
        nd.load(faults / "hostile" / f"{name}.nir", dt=1e-4)


def test_truncated_file(sound):
    data = sound.read_bytes()
    for size in (0, 100, len(data) // 2, len(data) - 50):
        sound.write_bytes(data[:size])
        with pytest.raises(FormatError, match=r"net\.nir"):
            nd.load(sound, dt=1e-4)


def test_neither_nir_nor_netx(tmp_path):
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["data"] = 1
    with pytest.raises(FormatError, match=r"no NetX network .*no NIR graph"):
        nd.load(tmp_path / "other.nir")


def test_sizes_are_checked_before_anything_is_allocated(sound):
    """A terabyte that takes no room in the file: chunks that were never written."""

    def change(file):
        del file["node/nodes/fc/weight"]
        file.create_dataset("node/nodes/fc/weight", (1 << 20, 1 << 18), "f4", chunks=(1024, 1024))

    assert "bytes more than what is stored" in broken(sound, change)


def test_number_of_edges_is_bounded(sound):
    def change(file):
        del file["node/edges"]
        file.create_dataset("node/edges", (1 << 24, 2), "S4", chunks=(1024, 2))

    assert "bytes more than what is stored" in broken(sound, change)


def test_objects_and_references_are_refused(sound):
    def references(file):
        put(
            file,
            "node/nodes/fc/bias",
            np.array([file.ref] * 4, h5py.ref_dtype),
            dtype=h5py.ref_dtype,
        )

    assert "something else than numbers and text" in broken(sound, references)


def test_ragged_arrays_are_refused(sound):
    def ragged(file):
        del file["node/nodes/fc/bias"]
        file.create_dataset("node/nodes/fc/bias", (4,), h5py.vlen_dtype(np.float32))

    assert "something else than numbers and text" in broken(sound, ragged)


@pytest.mark.parametrize("link", [h5py.SoftLink("/node/nodes/lif"), h5py.ExternalLink("x.h5", "/")])
def test_links_are_not_followed(sound, link):
    def change(file):
        file["node/nodes/linked"] = link

    assert "a link to somewhere else" in broken(sound, change)


def test_a_group_within_itself_ends(sound):
    def change(file):
        file["node/nodes/fc/again"] = file["node"]  # a hard link: an endless tree

    assert "there twice or within itself" in broken(sound, change)


def nested(depth):
    """A chain of graphs within graphs around one neuron."""
    tau = np.full(2, 1e-3)
    inner = nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1)
    for _ in range(depth):
        ports = {
            "input": nir.Input({"input": np.array([2])}),
            "inner": inner,
            "output": nir.Output({"output": np.array([2])}),
        }
        inner = nir.NIRGraph(ports, [("input", "inner"), ("inner", "output")], type_check=False)
    return inner


def test_nested_graphs_are_dissolved_into_dotted_names(tmp_path):
    nir.write(tmp_path / "a.nir", nested(4))
    net = nd.load(tmp_path / "a.nir", dt=1e-4)
    assert [p.name for p in net.populations] == ["input", "inner.inner.inner.inner"]
    nir.write(tmp_path / "b.nir", nested(20))
    with pytest.raises(FormatError, match="more than 32 levels"):
        nd.load(tmp_path / "b.nir", dt=1e-4)


def test_nested_graph_of_two_outputs_is_refused(tmp_path):
    graph = nested(2)
    graph.nodes["inner"].nodes["second"] = nir.Output({"output": np.array([2])})
    graph.nodes["inner"].edges.append(("inner", "second"))
    nir.write(tmp_path / "a.nir", graph)
    with pytest.raises(NetworkError, match="graph 'inner': 2 outputs, needs exactly one"):
        nd.load(tmp_path / "a.nir", dt=1e-4)


def test_what_is_not_nir_is_in_the_audit(sound):
    with h5py.File(sound, "r+") as file:
        file["node/nodes/fc/comment"] = 3.0
        file["node/nodes/lif/input_type"] = np.array([4])  # as older exporters left it
    audit = nd.load(sound, dt=1e-4).audit
    assert any(e.element == "fc/comment" and "not known" in e.reason for e in audit)


@pytest.mark.parametrize(
    "note", ['{"dt_seconds": "x"}', "[1]", "{", '{"preset": 3, "dt_seconds": 1}']
)
def test_a_broken_note_of_ours_does_no_harm(sound, note):
    with h5py.File(sound, "r+") as file:
        file["node/metadata/neurodeploy"] = note
    assert nd.load(sound, dt=1e-4).is_float
    with pytest.raises(FormatError, match="--dt"):
        nd.load(sound)


def test_without_the_package_the_error_says_what_to_install(sound, monkeypatch):
    import sys

    net = nd.load(sound, dt=1e-4)
    monkeypatch.setitem(sys.modules, "nir", None)
    for call in (lambda: nd.load(sound, dt=1e-4), lambda: nd.save(net, sound)):
        with pytest.raises(UnsupportedError, match=r"pip install '\.\[nir\]'"):
            call()
