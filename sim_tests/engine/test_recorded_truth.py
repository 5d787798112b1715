"""The engine against truth that others recorded: whole arrays, every layer on record."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source


def steps_first(path):
    """A recorded [W, H, C, steps] or [neurons, steps] file, as [steps, C, H, W] or [steps, ...]."""
    array = np.moveaxis(np.load(path), -1, 0)
    return array.transpose(0, 3, 2, 1) if array.ndim == 4 else array


class TestPilotNetLIF:
    """lava-dl's record of PilotNet LIF: 24 steps of one frame, every layer.

    `image.npy` is the input bias mantissa, already pixel * 40 + 36. The record
    equals a run whose layers reset every 17 steps, each one step after the
    layer before it (16 steps a sample, and one for the reset).
    """

    LAYERS = ("input", "conv-0", "conv-1", "conv-2", "conv-3", "conv-4", "fc-0", "fc-1", "fc-2")
    STEPS = 24

    @pytest.fixture
    def truth(self, netx_truth):
        return netx_truth / "gts" / "pilotnet_lif"

    @pytest.fixture
    def frames(self, truth):
        image = np.load(truth / "image.npy").transpose(2, 1, 0)
        return np.broadcast_to(image, (self.STEPS, *image.shape))

    @pytest.fixture
    def recording(self, truth, frames):
        network = nd.load(truth / "network.net")
        record = ("spikes", "u", "v")
        return nd.run(network, (frames - 36) / 40, record=record, reset_interval=17)

    def record_of(self, recording, layer):
        return recording[recording.names[self.LAYERS.index(layer)]]

    @pytest.mark.parametrize("layer", LAYERS)
    def test_spikes_equal_the_record(self, recording, truth, layer):
        recorded = steps_first(truth / f"{layer}.npy")
        assert recorded.shape[0] == self.STEPS
        assert recorded.any()
        np.testing.assert_array_equal(self.record_of(recording, layer).spikes[0], recorded)

    @pytest.mark.parametrize("layer", LAYERS[1:])
    def test_u_equals_the_record(self, recording, truth, layer):
        recorded = steps_first(truth / f"{layer}-u.npy")
        np.testing.assert_array_equal(self.record_of(recording, layer).u[0], recorded)

    @pytest.mark.parametrize("layer", LAYERS[1:])
    def test_v_differs_only_where_the_chip_keeps_its_refractory_counter(
        self, recording, truth, layer
    ):
        v = self.record_of(recording, layer).v[0]
        recorded = steps_first(truth / f"{layer}-v.npy")
        fired = steps_first(truth / f"{layer}.npy").astype(bool)
        np.testing.assert_array_equal(v[~fired], recorded[~fired])
        assert (recorded[fired] == 128).all()
        assert (v[fired] == 0).all()

    def test_raw_input_takes_the_bias_mantissa_as_it_is(self, recording, truth, frames):
        network = nd.load(truth / "network.net")
        raw = nd.run(network, frames, apply_transform=False, reset_interval=17)
        np.testing.assert_array_equal(raw["1_conv"].counts, recording["1_conv"].counts)
        np.testing.assert_array_equal(raw.output, recording.output)


class TestPilotNetSDNN:
    """The sigma-delta PilotNet fed the same frame at every step, as lava-dl's own test does."""

    STEPS = 20

    @pytest.fixture
    def truth(self, netx_truth):
        return netx_truth / "gts" / "pilotnet_sdnn"

    @pytest.fixture
    def frames(self, truth):
        return np.repeat(steps_first(truth / "input.npy"), self.STEPS, axis=0)

    def test_full_network(self, truth, frames):
        network = nd.load(truth / "network.net")
        recording = nd.run(network, frames, record=("spikes", "u"))
        output = np.load(truth / "output.npy").T
        assert len(np.unique(output)) > 5
        np.testing.assert_array_equal(recording.output[0, : len(output)], output)
        np.testing.assert_array_equal(recording["input"].spikes[0], steps_first(truth / "act0.npy"))
        for layer in (1, 2):
            np.testing.assert_array_equal(
                recording[f"{layer}_conv"].u[0], steps_first(truth / f"sigma{layer}.npy")
            )

    def test_square_network(self, truth, frames):
        network = nd.load(truth / "square_network.net")
        recording = nd.run(network, frames[..., :33], record=("u",))
        for layer in (1, 2, 3, 4):
            sigma = steps_first(truth / f"sigma{layer}_square.npy")
            assert sigma.any()
            np.testing.assert_array_equal(recording[f"{layer}_conv"].u[0], sigma)


def test_ntidigits_with_axonal_delays(netx_truth):
    """The record is read one step later than Lava's and ours: recorded[t + 1] == ours[t]."""
    truth = netx_truth / "gts" / "ntidigits"
    network = nd.load(truth / "ntidigits.net")
    recording = nd.run(network, np.load(truth / "input.npy").T, record=("spikes",))
    recorded = np.load(truth / "output.npy").T
    spikes = recording["4_dense"].spikes[0]
    assert recorded.sum() == 22572
    np.testing.assert_array_equal(spikes[:-1], recorded[1:])
    np.testing.assert_array_equal(recording.output[0], spikes.reshape(-1, 11, 22).sum(axis=2))


def test_tiny_net_equals_its_record(netx_truth):
    """gts/tinynet: SLAYER's layers start at step 1 of the record, ours at 0 + hops.

    Step 0 of the record is empty. Each layer is reset where its sample starts.
    """
    truth = netx_truth / "gts" / "tinynet"
    network = nd.load(netx_truth / "tiny.net")
    bias = np.load(truth / "input_bias.npy").transpose(2, 1, 0)
    frame = np.broadcast_to(bias, (18, *bias.shape))
    recording = nd.run(network, frame, record=("spikes",), apply_transform=False, reset_interval=18)
    for name, file in (("input", "input"), ("1_conv", "layer1"), ("2_conv", "output")):
        recorded = np.moveaxis(np.load(truth / f"{file}.npy")[0], -1, 0)
        hops = network.hops(name)
        assert recorded[1:].any()
        np.testing.assert_array_equal(recording[name].spikes[0][hops : hops + 15], recorded[1:])


@pytest.mark.parametrize("trace", ["lif_lava_cpu_fixed.csv", "lif_lava_loihi_fixed.csv"])
def test_single_lif_neuron_equals_lava_and_silicon(cases, trace):
    """One LIF neuron for 1000 steps, on Lava's CPU model and on a real Loihi 2.

    How the NIR neuron (tau 2.5 ms, r 1, v_threshold 0.1, w 1, at dt 0.1 ms)
    became integers, by `paper/01_lif/_lava_nir.py` of NIR: dv = int(dt / tau *
    4095) = 163; du = 4095, so a current lasts one step (decay 4096); vth =
    int(0.1 * 131071) >> 9 = 25; the weight carries dt / tau: int(0.04 * 256) = 10.
    """
    given, voltage, spikes = np.loadtxt(cases / "loihi2_single_lif" / trace, delimiter=",").T
    assert len(given) == 1000
    assert spikes.sum() == 4
    network = Network(
        (Population("input", (1,), Source()), Population("lif", (1,), CubaLIF(4096, 163, 25))),
        (Projection("input", "lif", Dense(np.array([[10]], np.int32))),),
    )
    recording = nd.run(network, given[:, None].astype(int), record=("spikes", "v"))
    ours = recording["lif"].v[0, :, 0]
    fired = spikes.astype(bool)
    np.testing.assert_array_equal(recording["lif"].spikes[0, :, 0], spikes)
    np.testing.assert_array_equal(ours[~fired], voltage[~fired])
    assert (voltage[fired] == (128 if "loihi" in trace else 0)).all()
    assert (ours[fired] == 0).all()
