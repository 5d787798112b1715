"""Recordings: in memory and on disk they say the same, and a file is whole or absent."""

from __future__ import annotations

import gc
import json
import pickle
import weakref
from dataclasses import replace

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.core.library import library
from neurodeploy.core.neurons import CORE_NEURONS, core_neuron
from neurodeploy.errors import FormatError, InputError, RecordingError
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    Average,
    CubaLIF,
    Delta,
    Dense,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
)
from neurodeploy.recording import SCHEMA_VERSION, RecordingWriter
from sim_tests import reference
from sim_tests.engine.neuron_bench import MODELS, draw_neuron
from sim_tests.random_networks import Draw

RECORD = ("spikes", "u", "v")


@pytest.fixture(scope="module")
def draw():
    """A convolutional network, so that the engine's own order of neurons shows if it leaks."""
    return next(d for d in map(Draw, range(100)) if len(d.network.populations[1].shape) == 3)


@pytest.fixture(scope="module")
def values(draw):
    return draw.inputs(samples=5)


@pytest.fixture(scope="module")
def recording(draw, values):
    return nd.run(draw.network, values, record=RECORD, apply_transform=False)


def test_what_is_made_when_asked_for_outlives_its_network_and_travels(draw, values, recording):
    network = replace(draw.network)  # of its own
    made = nd.run(network, values, record=RECORD, apply_transform=False)
    kept = weakref.ref(network)
    del network
    gc.collect()
    assert kept() is None
    travelled = pickle.loads(pickle.dumps(made))
    assert list(made.arrays) == list(travelled.arrays) == list(recording.arrays)
    for key in recording.arrays:
        np.testing.assert_array_equal(made.arrays[key], recording.arrays[key], key)
        np.testing.assert_array_equal(travelled.arrays[key], recording.arrays[key], key)
    assert "populations/none/counts" not in made.arrays
    with pytest.raises(KeyError):
        made.arrays["populations/none/counts"]


def test_equal_networks_of_which_one_was_clipped_keep_that_apart(draw, values):
    name = draw.network.projections[0].name
    clipped = replace(draw.network, metadata={f"weights_clipped/{name}": 7})
    assert clipped == draw.network
    for network, number in ((draw.network, 0), (clipped, 7), (draw.network, 0)):
        made = nd.run(network, values, apply_transform=False)
        assert made.weights_clipped()[name] == number


def test_shapes_and_dtypes(draw, recording):
    assert recording.output.shape == (5, 24, *draw.network.output.shape)
    assert recording.output.dtype == np.int32
    for population in draw.network.populations:
        record = recording[population.name]
        assert record.counts.shape == (5, *population.shape)
        assert record.counts.dtype == np.int64
        np.testing.assert_array_equal(record.counts, (record.spikes != 0).sum(axis=1))
        np.testing.assert_array_equal(
            record.step_counts, (record.spikes != 0).reshape(5, 24, -1).sum(axis=2)
        )


@pytest.mark.parametrize("how", ["streamed", "saved"])
def test_a_file_says_what_memory_says(draw, values, recording, tmp_path, how):
    path = tmp_path / "a.h5"
    if how == "saved":
        recording.save(path)
    else:
        nd.run(draw.network, values, record=RECORD, apply_transform=False, out=path)
    loaded = nd.Recording.load(path)
    assert loaded.samples == 5
    assert loaded.header.network == draw.network.fingerprint
    assert sorted(loaded.arrays) == sorted(recording.arrays)
    for key in recording.arrays:
        np.testing.assert_array_equal(loaded.arrays[key][:], recording.arrays[key][:], key)
    for name in recording.names:
        np.testing.assert_array_equal(loaded[name].spikes, recording[name].spikes)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_parallel_projections_have_names_and_synops_of_their_own():
    one = Dense(np.ones((3, 2), np.int32))
    network = Network(
        (Population("input", (2,), Source()), Population("out", (3,), CubaLIF(0, 0, 9))),
        (
            Projection("input", "out", one),
            Projection("input", "out", Dense(np.eye(3, 2, dtype=np.int32))),
        ),
    )
    recording = nd.run(network, np.ones((2, 4, 2), int))
    assert {n: c.tolist() for n, c in recording.synops().items()} == {
        "input->out": [24, 24],
        "input->out#2": [8, 8],
    }


def test_opens_with_plain_h5py(recording, tmp_path):
    recording.save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["schema"] == "neurodeploy.recording"
        header = json.loads(file.attrs["header"])
        assert header["steps"] == 24
        for population in header["populations"]:
            assert f"populations/{population['name']}/counts" in file


def test_what_was_not_recorded_is_named(draw, values):
    recording = nd.run(draw.network, values, apply_transform=False)
    first = recording.names[1]
    assert not recording[first].has("u")
    for what in ("spikes", "u", "v"):
        with pytest.raises(RecordingError, match=f"{what} was not recorded"):
            getattr(recording[recording.names[0] if what == "spikes" else first], what)
    with pytest.raises(RecordingError, match="no population 'x'"):
        recording["x"]
    assert recording.output.shape[0] == 5  # the output is always there


def test_a_run_that_fails_leaves_nothing(draw, values, tmp_path):
    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nd.run(draw.network, values, apply_transform=False, out=tmp_path / "a.h5", progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(recording, tmp_path):
    path = tmp_path / "a.h5"
    recording.save(path)
    before = path.read_bytes()
    with pytest.raises(AttributeError), RecordingWriter(recording.header, path) as writer:
        writer.put("populations/x/counts", None)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_unwritable_path(recording, tmp_path):
    with pytest.raises(FormatError, match="cannot write there"):
        recording.save(tmp_path / "no" / "a.h5")


def test_bad_files_get_one_line(recording, tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(RecordingError, match="no such file"):
        nd.Recording.load(path)
    path.write_text("text")
    with pytest.raises(RecordingError, match="not a readable HDF5"):
        nd.Recording.load(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(RecordingError, match="not a recording"):
        nd.Recording.load(path)
    recording.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="damaged"):
        nd.Recording.load(path)
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION + 1
    with pytest.raises(RecordingError, match="update neurodeploy"):
        nd.Recording.load(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["header"] = "{}"
    with pytest.raises(RecordingError, match="header: damaged"):
        nd.Recording.load(path)


def test_counts_of_many_samples_take_little_room(tmp_path):
    """Streamed counts grow with the samples, activity does not pile up with the steps."""
    draw = Draw(5)
    values = np.repeat(draw.inputs(samples=1, steps=50), 400, axis=0)
    nd.run(draw.network, values, apply_transform=False, out=tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        names = []
        file["populations"].visit(names.append)
    assert not any(name.endswith(("/u", "/v")) for name in names)
    assert sum(name.endswith("/neuron") for name in names) == 1


class TestStates:
    """Every state of every model can be recorded, by the name that its class declares."""

    @staticmethod
    def network():
        draw = np.random.default_rng(5).integers
        models = (
            ALIF(400, 300, 200, 100, 60, 9),
            GeneralCubaLIF(400, 300, 50, refractory=4),
            GeneralSigmaDelta(90, 3),
            AdaptiveCubaLIF(400, 300, 5, 50, 384),
        )
        names = [f"{k}" for k in range(len(models))]
        return Network(
            (
                Population("in", (9,), Source()),
                *(Population(n, (12,), m) for n, m in zip(names, models, strict=True)),
            ),
            tuple(
                Projection(a, b, Dense(draw(-9, 14, (12, 9 if a == "in" else 12), np.int32)))
                for a, b in zip(["in", *names], names, strict=False)
            ),
        )

    def test_all_of_them_in_memory_in_a_file_and_compared(self, tmp_path):
        network = self.network()
        inputs = np.random.default_rng(6).integers(0, 2, (3, 30, 9))
        recording = nd.run(network, inputs, record=("spikes", "states"), out=tmp_path / "a.h5")
        assert recording.header.record == (
            "counts", "spikes", "u", "v", "threshold", "refractory", "wait", "residue",
            "adaptation",
        )  # fmt: skip
        for sample, presented in enumerate(inputs):
            truth = reference.simulate(network, presented)
            for population in network.populations:
                record = recording[population.name]
                assert record.states == population.neuron.states
                for name in record.states:
                    assert truth[population.name][name].any()
                    expected = truth[population.name][name]
                    np.testing.assert_array_equal(record[name][sample], expected)
        other = nd.run(network, inputs, record=("spikes", "wait", "residue"))
        assert other["1"].states == ("wait",)
        comparison = nd.compare(recording, other)
        assert comparison.equal
        other.arrays["populations/1/wait"][1, 20, 3] += 1
        differing = nd.compare(recording, other)
        assert differing.first_divergence.variable == "wait"
        (row,) = (row for row in differing.rows if not row.exact)
        assert row.states_differing["wait"] == 1
        assert "wait" in differing.summary()

    def test_a_threshold_that_moves_is_evidence(self):
        network = self.network()
        inputs = np.random.default_rng(6).integers(0, 2, (2, 30, 9))
        a, b = (nd.run(network, inputs, record=("spikes", "states")) for _ in range(2))
        b.arrays["populations/0/threshold"][1, 20, 3] += 1
        evidence = nd.compare(a, b, net=network, inputs=inputs).diagnosis.evidence
        assert evidence.further_states == ("threshold", "refractory")
        assert evidence.threshold is None
        at = evidence.at
        assert evidence.b.values["threshold"][at] == evidence.a.values["threshold"][at] + 1
        assert evidence.a.values["threshold"][at] == a["0"]["threshold"][1, 20, 3]

    def test_a_state_that_no_neuron_has_is_named(self):
        with pytest.raises(InputError, match=r"record 'sigma': unknown; .* u, v, threshold, refr"):
            nd.run(self.network(), np.zeros((2, 9), int), record=("spikes", "sigma"))

    @pytest.mark.parametrize("model", CORE_NEURONS, ids=lambda model: model.__name__)
    def test_the_core_names_them_alike(self, model):
        drawn = {m: draw_neuron(np.random.default_rng(0), m, 3) for m in MODELS if m is model}
        made = (Average(2), CubaLIF(1, 1, 1), Delta(1), ModulatedLIF(1, 1, 1), SigmaDelta(1))
        drawn |= {type(neuron): neuron for neuron in made}
        neuron = drawn[model] if model in drawn else model()
        told = library().nd_describe_neuron(core_neuron(neuron).kind.encode()).decode()
        assert tuple(told.split(";")[2].split()) == model.states
