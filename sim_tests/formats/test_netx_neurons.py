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
    CubaLIF,
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
    "CUBA graded": GeneralCubaLIF(300, ARRAY, 65, graded_spike=True),
    "CUBA refractory": GeneralCubaLIF(300, 128, 65, 3, refractory=np.array([1, 2, 5, 63])),
    "CUBA weight exponent": GeneralCubaLIF(300, 128, 65, input_exponent=9),
    "CUBA weight exponent down": GeneralCubaLIF(300, 128, 65, input_exponent=2, refractory=4),
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
        GeneralCubaLIF(1, 2, 3, reset="subtract-late"),
        GeneralCubaLIF(1, 2, 3, 4, bias_into="current"),
        GeneralCubaLIF(1, 2, 3, refractory=64),
        GeneralCubaLIF(1, 2, 3, input_exponent=14),
        TernaryLIF(1, 2, 3, -3),
        ALIF(1, 2, 3, 4, 5, 6, input_exponent=-6),
    ],
)
def test_what_netx_cannot_hold_is_refused(tmp_path, neuron):
    with pytest.raises(UnsupportedError, match="0_dense"):
        nd.save(network_with(neuron), tmp_path / "a.net", netx_only=True)


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


def set_neuron(path, key, value):
    with h5py.File(path, "a") as file:
        name = f"layer/0/neuron/{key}"
        if name in file:
            del file[name]
        file[name] = value


def test_a_refractory_delay_holds_the_voltage_at_zero_as_the_chip_does(tmp_path):
    """nengo-loihi's emulator, line by line: voltage[ref_count > 0] = 0, then count down."""
    nd.save(network_with(CubaLIF(4096, 0, 60)), tmp_path / "a.net")
    set_neuron(tmp_path / "a.net", "refDelay", 4)
    network = nd.load(tmp_path / "a.net")
    assert network.audit.worst == "faithful"
    values = (np.random.default_rng(0).random((1, 80, 3)) < 0.7).astype(np.int32)
    recording = nd.run(network, values, record=("spikes", "v"))
    weight = network.projections[0].synapse.weight
    v, held = np.zeros(4, int), np.zeros(4, int)
    for t in range(1, 80):
        v = v + 64 * (weight @ values[0, t - 1])
        v[held > 0] = 0
        spikes = v > 60 * 64
        v[spikes] = 0
        held[spikes] = 4
        held = np.maximum(held - 1, 0)
        np.testing.assert_array_equal(recording.output[0, t], spikes)
        np.testing.assert_array_equal(recording["0_dense"].v[0, t], v)
    assert recording.output.sum() > 10


def test_weights_count_two_to_the_weight_exponent_times(tmp_path):
    nd.save(network_with(CubaLIF(700, 50, 900)), tmp_path / "a.net")
    set_neuron(tmp_path / "a.net", "wgtExp", 3)
    network = nd.load(tmp_path / "a.net")
    assert network.audit.worst == "faithful"
    larger = network_with(CubaLIF(700, 50, 900))
    weight = Dense(larger.projections[0].synapse.weight * 8)
    larger = Network(larger.populations, (Projection("input", "0_dense", weight),))
    values = (np.random.default_rng(0).random((2, 80, 3)) < 0.4).astype(np.int32)
    found, expected = (nd.run(n, values, record=("spikes", "u", "v")) for n in (network, larger))
    for state in ("spikes", "u", "v"):
        np.testing.assert_array_equal(
            getattr(found["0_dense"], state), getattr(expected["0_dense"], state)
        )
    assert found.output.any()


@pytest.mark.parametrize(("key", "value"), [("wgtExp", 8), ("wgtExp", -9), ("refDelay", 64)])
def test_exponents_and_delays_out_of_range_are_refused(tmp_path, key, value):
    nd.save(network_with(CubaLIF(700, 50, 900)), tmp_path / "a.net")
    set_neuron(tmp_path / "a.net", key, value)
    with pytest.raises(FormatError, match=key):
        nd.load(tmp_path / "a.net")


def recurrent(neuron, source):
    eye = 2 * np.eye(4, dtype=np.int32)
    return Network(
        (
            Population("input", (4,), Source()),
            Population("0_dense", (4,), source),
            Population("1_dense_rec", (4,), neuron, axon_delay=np.array([0, 1, 2, 3], np.int32)),
            Population("2_dense", (4,), neuron),
        ),
        (
            Projection("input", "0_dense", Dense(eye)),
            Projection("0_dense", "1_dense_rec", Dense(eye)),
            Projection("1_dense_rec", "2_dense", Dense(eye)),
        ),
    )


def test_graded_and_plain_spikes_do_not_add_up_in_one_current(tmp_path):
    for graded in (True, False):
        source = GeneralCubaLIF(300, 128, 65, graded_spike=graded)
        neuron = GeneralCubaLIF(300, 128, 65, graded_spike=True, input_exponent=-6)
        first = source if graded else CubaLIF(300, 128, 65)
        second = neuron if graded else GeneralCubaLIF(300, 128, 65, graded_spike=True)
        network = recurrent(second, first)
        network = Network(
            (*network.populations[:3], Population("2_dense", (4,), neuron)), network.projections
        )
        path = tmp_path / f"{graded}.net"
        nd.save(network, path)
        with h5py.File(path, "a") as file:
            file["layer/1/weight_rec"] = np.eye(4, dtype=np.float32)
            del file["layer/1/type"]
            file["layer/1"].create_dataset("type", (1,), "S10", [b"dense_rec"])
        if graded:
            again = nd.load(path)
            # Beyond the relay that stands for the delayed axons graded spikes still arrive.
            assert again["2_dense"].neuron.input_exponent == -6
            nd.save(again, tmp_path / "again.net")
            assert nd.load(tmp_path / "again.net") == again
        else:
            with pytest.raises(UnsupportedError, match=r"layer/1/neuron/gradedSpike: .* 2\^12"):
                nd.load(path)


CASES = [
    *((family, {}) for family in ("cuba", "alif", "rf", "rf_iz", "adrf")),
    *((family, {"shared": False}) for family in ("cuba", "alif", "rf", "rf_iz", "adrf")),
    *((family, {"graded": True}) for family in ("cuba", "alif", "rf", "rf_iz", "adrf")),
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
    nd.save(network, tmp_path / "b.net")
    assert nd.load(tmp_path / "b.net") == network
    spikes = (rng.random((2, 110, 16)) < 0.3).astype(np.int32)
    expected = oracle.run_blocks(torch, blocks, spikes)
    np.testing.assert_array_equal(nd.run(network, spikes).output, expected[-1])
    assert np.count_nonzero(expected[-1]) > 10
