"""Recordings joined, and made of arrays of one's own."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, InputError, RecordingError
from neurodeploy.recording.nir_data import read_nir_data, write_nir_data
from sim_tests.random_networks import Draw

from .data import samples

RECORD = ("counts", "spikes", "u", "v")


@pytest.fixture(scope="module")
def inputs():
    return samples(30)[0]


@pytest.fixture(scope="module")
def whole(network, inputs):
    return nd.run(network, inputs, record=RECORD)


@pytest.fixture
def parts(network, inputs):
    return [nd.run(network, inputs[a:b], record=RECORD) for a, b in ((0, 1), (1, 20), (20, 30))]


@pytest.mark.parametrize("stored", [False, True])
def test_joined_is_one_run_of_all(network, inputs, whole, parts, tmp_path, stored):
    if stored:
        for number, part in enumerate(parts):
            part.save(tmp_path / f"{number}.h5")
        parts = [nd.Recording.load(tmp_path / f"{number}.h5") for number in range(3)]
    out = tmp_path / "joined.h5" if stored else None
    joined = nd.Recording.join(parts, out, network, inputs)
    assert set(joined.arrays) == set(whole.arrays)
    for key in whole.arrays:
        np.testing.assert_array_equal(joined.arrays[key], whole.arrays[key])
    assert joined.header.inputs == whole.header.inputs
    assert nd.compare(joined, whole).equal


def test_without_inputs_it_is_no_run_of_other_inputs(whole, parts):
    joined = nd.Recording.join(parts)
    assert joined.header.inputs != whole.header.inputs
    assert joined.header.inputs == nd.Recording.join(parts).header.inputs
    assert nd.Recording.join([whole]).header.inputs == whole.header.inputs


def test_only_what_belongs_together_is_joined(network, inputs, parts):
    longer = nd.run(network, inputs, steps=13, record=RECORD)
    with pytest.raises(RecordingError, match=r"recording 1 is of another steps.*\(13, 12\)"):
        nd.Recording.join([parts[0], longer])
    less = nd.run(network, inputs, record=("counts",))
    with pytest.raises(RecordingError, match="recording 1 is of another record"):
        nd.Recording.join([parts[0], less])
    with pytest.raises(RecordingError, match="no recordings"):
        nd.Recording.join([])
    with pytest.raises(InputError, match="29 samples, the recordings hold 30"):
        nd.Recording.join(parts, None, network, inputs[:29])


def test_profiles_joined_are_one_of_all(whole, parts):
    profiles = [nd.profile(part) for part in parts]
    joined, one = type(profiles[0]).join(profiles), nd.profile(whole)
    for name in ("energy_joules", "dynamic_joules", "seconds", "watts", "spread", "messages"):
        assert getattr(joined, name) == pytest.approx(getattr(one, name), rel=1e-9)
    assert joined.samples == 30
    with pytest.raises(RecordingError, match="chip differs"):
        type(one).join([one, nd.profile(whole, chip="loihi1")])


def test_arrays_of_ones_own(network, inputs, whole):
    spikes = {name: whole[name].spikes for name in whole.names}
    mine = nd.Recording.from_arrays(
        network, spikes, {"output": {"v": whole["output"].v}}, inputs=inputs
    )
    assert nd.compare(mine, whole).equal
    assert nd.profile(mine).energy_joules == nd.profile(whole).energy_joules
    one = nd.Recording.from_arrays(network, {"output": spikes["output"]}, inputs=inputs)
    assert one.names == ("output",)
    assert nd.compare(one, whole).equal


def test_a_frameworks_clock_is_moved_to_the_chips(network, inputs, whole):
    hops = network.hops("output")
    own = np.zeros_like(whole["output"].spikes)
    own[:, :-hops] = whole["output"].spikes[:, hops:]
    mine = nd.Recording.from_arrays(network, {"output": own}, inputs=inputs, clock="framework")
    np.testing.assert_array_equal(mine["output"].spikes, whole["output"].spikes)


@pytest.mark.parametrize(
    ("spikes", "states", "words"),
    [
        ({"other": np.zeros((1, 2, 4))}, {}, "no population 'other'"),
        ({"output": np.zeros((1, 2, 5))}, {}, r"give numbers \[samples, steps, 4\]"),
        ({"output": np.full((1, 2, 4), 0.5)}, {}, "hold 0.5"),
        ({"output": np.full((1, 2, 4), 2)}, {}, "it sends no payloads"),
        ({"output": np.zeros((1, 2, 4))}, {"output": {"w": np.zeros((1, 2, 4))}}, "no state 'w'"),
        ({"output": np.zeros((1, 2, 4))}, {"output": {"v": np.zeros((1, 3, 4))}}, "same run"),
    ],
)
def test_arrays_that_do_not_fit(network, spikes, states, words):
    with pytest.raises(InputError, match=words):
        nd.Recording.from_arrays(network, spikes, states)


class TestNirData:
    @pytest.fixture(autouse=True)
    def nir(self):
        return pytest.importorskip("nir", reason="needs nir: the extra nir")

    @pytest.mark.parametrize("dt", [1.0, 1e-3, 0.1])
    def test_there_and_back(self, network, inputs, whole, tmp_path, dt):
        path = tmp_path / "a.h5"
        write_nir_data(whole, path, dt)
        arrays = read_nir_data(path)
        assert set(arrays) == set(whole.names)
        mine = nd.Recording.from_arrays(
            network,
            {name: found["spikes"] for name, found in arrays.items()},
            {"output": {"v": arrays["output"]["v"]}},
            inputs=inputs,
        )
        assert nd.compare(mine, whole).equal
        assert "v" in mine["output"].states

    def test_payloads(self, tmp_path):
        draw = next(d for d in map(Draw, range(50)) if d.network.output.neuron.graded)
        recording = nd.run(draw.network, draw.inputs(), record=("spikes",))
        write_nir_data(recording, tmp_path / "a.h5")
        name = draw.network.output.name
        found = read_nir_data(tmp_path / "a.h5", dt=1.0)[name]["spikes"]
        np.testing.assert_array_equal(
            found, recording.output.reshape(recording.samples, recording.steps, -1)
        )

    def test_what_nir_itself_reads(self, nir, whole, tmp_path):
        write_nir_data(whole, tmp_path / "a.h5", 0.5)
        data = nir.read_data(str(tmp_path / "a.h5")).nodes["output"].observables["spikes"]
        dense = data.to_time_gridded(0.5).data
        np.testing.assert_array_equal(dense, whole["output"].spikes != 0)

    def test_events_without_a_step(self, network, inputs, tmp_path):
        write_nir_data(nd.run(network, inputs), tmp_path / "a.h5")
        with pytest.raises(InputError, match="nothing says how long a step is; give dt"):
            read_nir_data(tmp_path / "a.h5")

    def test_a_file_that_is_none(self, tmp_path):
        (tmp_path / "a.h5").write_bytes(b"nothing")
        with pytest.raises(FormatError, match=r"write it with nir\.write_data"):
            read_nir_data(tmp_path / "a.h5")
