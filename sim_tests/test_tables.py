"""Tables of pandas and arrays of xarray hold what the objects hold."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError
from sim_tests.compare.test_compare import RECORD, network_of


@pytest.fixture(scope="module")
def recording():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    return nd.run(network_of(), inputs, record=RECORD)


def test_messages_as_a_table(recording):
    pytest.importorskip("pandas", reason="needs the extra tables")
    record = recording["hidden"]
    table = record.to_pandas()
    dense = np.zeros((6, 30, 12), np.int32)
    dense[table["sample"], table["step"], table["neuron"]] = table["payload"]
    np.testing.assert_array_equal(dense, record.spikes)
    whole = recording.to_pandas().pivot(index="sample", columns="population", values="messages")
    np.testing.assert_array_equal(whole["output"], recording["output"].counts.sum(axis=1))


def test_comparisons_profiles_and_placements_as_tables(recording):
    pytest.importorskip("pandas", reason="needs the extra tables")
    diff = nd.compare(recording, recording).to_pandas()
    assert diff["exact"].all()
    assert list(diff["v_differing"])[1:] == [0, 0]
    profile = nd.profile(recording)
    assert profile.to_pandas()["synops"].sum() == pytest.approx(profile.synops)
    cores = nd.fit(network_of()).to_pandas()
    assert list(cores["population"]) == ["hidden", "output"]
    assert list(cores["place"]) == [0, 1]


def test_arrays_with_named_axes(recording):
    pytest.importorskip("xarray", reason="needs the extra tables")
    data = recording.to_xarray()
    assert data["hidden/v"].dims == ("sample", "step", "hidden/neuron")
    np.testing.assert_array_equal(data["hidden/v"], recording["hidden"].v)
    by_step = data["output/spikes"].sum("step")
    np.testing.assert_array_equal(by_step, data["output/counts"])
    assert data.attrs["network"] == network_of().fingerprint
    assert data["output/v"].attrs["hops"] == 2


def test_without_the_packages_one_line_says_how_to_add_them(recording, monkeypatch):
    for name, ask in (("pandas", recording.to_pandas), ("xarray", recording.to_xarray)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(InputError, match=rf"{name} is not installed.*\[tables\]"):
            ask()
