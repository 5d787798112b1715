"""Files that neurodeploy 0.1.0 wrote load for ever, and hold and give what they held and gave.

They lie in ``sim_tests/data/v0_1``, beside the script that wrote them and what it read back.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import Rating
from neurodeploy.remote.job import read_job
from sim_tests.data.v0_1.write import RECORD, leaves

FOLDER = Path(__file__).parents[1] / "data" / "v0_1"
FILES = ("spiking.net", "values.net", "float.net", "fixed.net", "float.nir", "fixed.nir")
TOLD = json.loads((FOLDER / "expected.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    with np.load(FOLDER / "expected.npz", allow_pickle=False) as held:
        return dict(held)


def load(name):
    if name.endswith(".nir"):
        pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    return nd.load(FOLDER / name)


def assert_holds(network, name, arrays, parts=("populations", "projections", "audit", "metadata")):
    """Every value that was there is there still; fields that came later hold their defaults."""
    found = dict(leaves(network, "network"))
    for path, value in TOLD[name]["values"].items():
        if path.split("/")[1] in parts:
            assert found[path] == value, path
    for key, value in arrays.items():
        file, path, *_ = key.split(":")
        if file == name and path.startswith("network/"):
            assert np.array_equal(found[path], value), path


@pytest.mark.parametrize("name", FILES)
def test_the_same_network_and_the_same_fingerprint(name, arrays):
    network = load(name)
    assert network.is_float == TOLD[name]["float"]
    assert_holds(network, name, arrays)
    assert network.fingerprint == TOLD[name]["fingerprint"]


@pytest.mark.parametrize("name", FILES)
def test_it_runs_as_it_ran(name, arrays):
    network = load(name)
    backend = "float" if network.is_float else "engine"
    recording = nd.run(network, arrays[f"{name}:inputs"], backend=backend, record=RECORD)
    compared = 0
    for population in recording.names:
        for kind in RECORD:
            key = f"{name}:{population}:{kind}"
            if key in arrays:
                assert np.array_equal(getattr(recording[population], kind), arrays[key]), key
                compared += 1
    assert compared == sum(key.startswith(f"{name}:") for key in arrays if key.count(":") > 1)


def test_a_recording(arrays, tmp_path):
    path = tmp_path / "recording.h5"
    path.write_bytes(gzip.decompress((FOLDER / "recording.h5.gz").read_bytes()))
    recording = nd.Recording.load(path)
    told = TOLD["recording.h5"]
    # A population that nothing counts has no counts: {} then, None today.
    assert {n: recording[n].overflows() or {} for n in recording.names} == told["overflows"]
    assert told["overflows"]["huge"]["u_overflows"] > 0
    assert {n: c.tolist() for n, c in recording.synops().items()} == told["synops"]
    keys = [key for key in arrays if key.startswith("recording.h5:")]
    for key in keys:
        _, population, kind = key.split(":")
        assert np.array_equal(getattr(recording[population], kind), arrays[key]), key
    assert len(keys) > 50
    # It counts as a recording of the same network, so a run of today is compared with it.
    network = nd.load(FOLDER / "spiking.net")
    assert recording.header.network == network.fingerprint
    again = nd.run(
        network,
        arrays["spiking.net:inputs"][:1, :12],
        record=RECORD,
        reset_interval=8,
        reset_offset=3,
    )
    # Its header does not say at which step it was reset.
    assert nd.compare(recording, again, anyway=True).equal


def test_a_job_folder(arrays, tmp_path):
    shutil.copytree(FOLDER / "job", tmp_path / "job")
    backend, network, values, options = read_job(tmp_path / "job")
    assert backend == "engine"
    assert network.fingerprint == TOLD["spiking.net"]["fingerprint"]
    assert_holds(network, "spiking.net", arrays, ("populations", "projections", "metadata"))
    assert np.array_equal(values, arrays["spiking.net:inputs"])
    assert options.record == ("counts", "spikes")
    assert options.reset_interval == 24


def test_quantized_integers_in_a_nir_file_stay_integers():
    network = load("fixed.nir")
    assert not network.is_float
    assert network == nd.load(FOLDER / "fixed.net")
    assert network.audit.worst is Rating.FAITHFUL
