"""SLAYER's other neurons in NetX files: read, written, and as SLAYER itself exports them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, UnsupportedError
from neurodeploy.network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    ComplexDense,
    Dense,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    Source,
    TernaryLIF,
)
from sim_tests import slayer_oracle as oracle
from sim_tests.engine.test_neurons_against_slayer import build

ARRAY = np.array([5, 70, 900, 4096], np.int32)
NEURONS = {
    "ALIF": ALIF(ARRAY, 128, 700, 80, 65, 33, bias=np.array([1, -2, 3, -4], np.int32)),
    "ALIF graded": ALIF(300, 128, 700, 80, 65, 33, graded_spike=True),
    "RF_PHASE": ResonateFire(ARRAY, 3000, 40),
    "RF_IZHIKEVICH": ResonateFireIzhikevich(800, ARRAY, 40, graded_spike=True),
    "ADRF_PHASE": AdaptiveResonateFire(ARRAY, 3000, 60, 400, 30, 7),
    "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich(100, 3000, 60, ARRAY, 30, 7),
}


def network_with(neuron):
    weight = 2 * np.arange(-6, 6).reshape(4, 3).astype(np.int32)
    synapse = ComplexDense(weight, weight[::-1]) if neuron.ports == 2 else Dense(weight)
    return Network(
        (Population("input", (3,), Source()), Population("0_dense", (4,), neuron)),
        (Projection("input", "0_dense", synapse),),
    )


@pytest.mark.parametrize("name", NEURONS)
def test_what_is_written_is_read_back(tmp_path, name):
    network = network_with(NEURONS[name])
    nd.save(network, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/0/neuron/type"][()].decode() == name.split()[0]
    again = nd.load(tmp_path / "a.net")
    assert again == network
    assert again.audit.worst == "faithful"


@pytest.mark.parametrize(
    "neuron",
    [
        GeneralCubaLIF(1, 2, 3, reset="subtract"),
        TernaryLIF(1, 2, 3, -3),
        ALIF(1, 2, 3, 4, 5, 6, input_exponent=-6),
    ],
)
def test_what_netx_cannot_hold_is_refused(tmp_path, neuron):
    with pytest.raises(UnsupportedError, match="0_dense"):
        nd.save(network_with(neuron), tmp_path / "a.net")


def test_a_leaky_integrator_is_written_as_slayer_writes_its_affine_block(tmp_path):
    leaky = network_with(LeakyIntegrator(300, 30))
    nd.save(leaky, tmp_path / "a.net")
    values = np.ones((1, 30, 3), np.int32)
    read = nd.run(nd.load(tmp_path / "a.net"), values, record=("v",))
    written = nd.run(leaky, values, record=("v",))
    np.testing.assert_array_equal(read["0_dense"].v, written["0_dense"].v)


@pytest.mark.parametrize(("key", "value"), [("thDecay", 4097), ("cosDecay", -4097)])
def test_decays_out_of_range_are_refused(tmp_path, key, value):
    nd.save(network_with(NEURONS["ADRF_PHASE"]), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        del file[f"layer/0/neuron/{key}"]
        file[f"layer/0/neuron/{key}"] = value
    with pytest.raises(FormatError, match=key):
        nd.load(tmp_path / "a.net")


CASES = [
    *((family, {}) for family in ("cuba", "alif", "rf", "rf_iz", "adrf")),
    *((family, {"shared": False}) for family in ("cuba", "alif", "rf", "rf_iz", "adrf")),
    *((family, {"graded": True}) for family in ("alif", "rf", "rf_iz", "adrf")),
]


@pytest.mark.parametrize(("family", "options"), CASES)
def test_files_that_slayer_exports_run_as_slayer_runs_them(tmp_path, family, options):
    slayer, torch = oracle.import_slayer()
    rng = np.random.default_rng(31)
    torch.manual_seed(3)
    blocks = build(slayer, torch, rng, family, (16, 14, 10), **options)
    with h5py.File(tmp_path / "a.net", "w") as file:
        for index, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    network = nd.load(tmp_path / "a.net")
    assert network == oracle.network_of(blocks, 16)
    assert network.audit.worst == "faithful"
    spikes = (rng.random((2, 110, 16)) < 0.3).astype(np.int32)
    expected = oracle.run_blocks(torch, blocks, spikes)
    np.testing.assert_array_equal(nd.run(network, spikes).output, expected[-1])
    assert np.count_nonzero(expected[-1]) > 10
