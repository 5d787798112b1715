"""Recordings: in memory and on disk they say the same, and a file is whole or absent."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, RecordingError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.recording import SCHEMA_VERSION, RecordingWriter
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
    with pytest.raises(RecordingError, match="not a readable HDF5"):
        nd.Recording.load(path)
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION + 1
    with pytest.raises(RecordingError, match="update neurodeploy"):
        nd.Recording.load(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["header"] = "{}"
    with pytest.raises(RecordingError, match="header is broken"):
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
