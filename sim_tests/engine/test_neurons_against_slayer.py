"""The engine's neurons against SLAYER's CPU forward pass: whole arrays of spikes and states."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import LeakyIntegrator
from sim_tests import slayer_oracle as oracle
from sim_tests.engine.neuron_bench import run_engine


@pytest.fixture(scope="module")
def slayer():
    return oracle.import_slayer()


def draw_parameters(rng, family, graded=False, shared=True):
    """Keyword arguments of a SLAYER block's neuron."""

    def decay(low, high):
        found = float(rng.uniform(low, high))
        return found if shared else (found, min(1.0, found * 1.5))

    common = {"graded_spike": graded, "shared_param": shared}
    adaptive = {
        "threshold_step": float(rng.uniform(0.1, 2)),
        "threshold_decay": decay(0, 0.3),
        "refractory_decay": decay(0.02, 0.3),
    }
    if family in ("cuba", "alif"):
        slow, fast = (0.4, 0.2) if graded else (0, 0)  # chained integrators of voltages explode
        leaks = {"current_decay": decay(slow, 0.8), "voltage_decay": decay(fast, 0.3)}
        threshold = float(rng.uniform(0.3, 2))
        more = adaptive if family == "alif" else {}
        return {"threshold": threshold, **leaks, **more, **common}
    period = float(rng.uniform(5, 15))
    turning = {
        "threshold": float(rng.uniform(0.1, 0.5 if family.startswith("rf") else 2)),
        "period": period if shared else (period, 2 * period),
        "decay": decay(0.01, 0.2),
    }
    return {**turning, **(adaptive if family.startswith("adrf") else {}), **common}


FAMILIES = ("cuba", "alif", "rf", "rf_iz", "adrf", "adrf_iz")


class TestNeuronsAlone:
    """The same integer currents into SLAYER's neuron object and into ours, no synapses."""

    @pytest.mark.parametrize("graded", [False, True], ids=["spikes", "graded"])
    @pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_channel"])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_spikes_and_states(self, slayer, family, shared, graded):
        slayer, torch = slayer
        sent, adapted = 0, 0
        for seed in range(5):
            rng = np.random.default_rng([seed, 11])
            torch.manual_seed(seed)
            size, ports = int(rng.integers(3, 12)), 1 if family in ("cuba", "alif") else 2
            theirs = getattr(slayer.neuron, family).Neuron(
                **draw_parameters(rng, family, graded, shared)
            )
            strength = (rng.random((2, 120, ports, size)) < 0.3) * rng.choice([40, 200])
            currents = rng.integers(-50, 100, strength.shape) * strength // 50
            messages, dynamics = oracle.drive(torch, theirs, currents)
            ours = oracle.neuron_of(theirs)
            flat = currents.reshape(2, 120, ports * size)
            found, u, v, overflows = run_engine(ours, flat, window=50)
            np.testing.assert_array_equal(found, messages)
            assert not any(count.any() for count in overflows.values())
            sent += np.count_nonzero(messages)
            if hasattr(ours, "threshold_step"):
                steady = replace(ours, threshold_step=0, refractory_decay=4096)
                adapted += (run_engine(steady, flat)[0] != messages).any()
            # SLAYER reports what a state was before its spike reset it.
            kept = messages == 0 if family in ("cuba", "rf_iz") else np.ones_like(found, bool)
            np.testing.assert_array_equal(u[kept], dynamics[0][kept])
            np.testing.assert_array_equal(v[kept], dynamics[1][kept])
            if family == "rf_iz":
                reset = messages != 0
                assert not u[reset].any()
                np.testing.assert_array_equal(v[reset], 64 * theirs.v_th_mant - 1)
        assert sent > 200
        assert adapted == 5 or family in ("cuba", "rf", "rf_iz"), "adaptation changed nothing"

    def test_forward_of_adrf_iz_fails(self, slayer):
        """Why that family is compared through `dynamics` and `spike`."""
        slayer, torch = slayer
        theirs = slayer.neuron.adrf_iz.Neuron(
            **draw_parameters(np.random.default_rng(0), "adrf_iz")
        )
        with pytest.raises(TypeError, match="refractory"):
            theirs((torch.zeros(1, 2, 3), torch.zeros(1, 2, 3)))

    def test_alif_bias_is_the_norm_on_its_current(self, slayer):
        slayer, torch = slayer
        sent = 0
        for seed in range(5):
            rng = np.random.default_rng([seed, 12])
            parameters = draw_parameters(rng, "alif")
            theirs = slayer.neuron.alif.Neuron(
                **parameters, norm=slayer.neuron.norm.MeanOnlyBatchNorm
            ).eval()
            mean = 2 * rng.integers(-20, 8, 6)
            theirs.norm.running_mean = torch.from_numpy(mean.astype(np.float32) / 64)
            currents = rng.integers(-40, 60, (2, 100, 1, 6))
            messages, dynamics = oracle.drive(torch, theirs, currents)
            plain = oracle.neuron_of(theirs)
            ours = nd.network.neurons.ALIF(**{**vars(plain), "bias": -mean.astype(np.int32)})
            found, u, v, _ = run_engine(ours, currents[:, :, 0])
            np.testing.assert_array_equal(found, messages)
            np.testing.assert_array_equal(u, dynamics[0])
            np.testing.assert_array_equal(v, dynamics[1])
            sent += messages.sum()
        assert sent > 200


def build(slayer, torch, rng, family, sizes, *, delay=False, **options):
    """A chain of dense blocks with random weights, run once so that all parameters are drawn."""
    block_of = getattr(slayer.block, family).Dense
    blocks = []
    for inputs, outputs in pairwise(sizes):
        block = block_of(draw_parameters(rng, family, **options), inputs, outputs, delay=delay)
        complex_weight = block.synapse.complex
        for synapse in (
            (block.synapse.real, block.synapse.imag) if complex_weight else (block.synapse,)
        ):
            # Odd and too large ones too: SLAYER rounds to even and clips in the forward pass.
            weight = rng.integers(-110, 160, synapse.weight.shape) / 64
            if options.get("graded"):  # voltages as messages: keep what adds up small
                weight = (weight - 25 / 64) / ((10 if complex_weight else 30) if blocks else 1)
            synapse.weight.data = torch.from_numpy(weight.astype(np.float32))
        if delay:
            block.delay.init = True
            block.delay.delay.data = torch.from_numpy(rng.uniform(0, 9, outputs)).float()
        blocks.append(block.eval())
    oracle.run_blocks(torch, blocks, np.zeros((1, 2, sizes[0])))
    return blocks


CELLS = {
    "dense": {"sizes": (16, 12)},
    "dense2": {"sizes": (16, 24, 10)},
    "dense3": {"sizes": (10, 20, 20, 6)},
    "perch": {"sizes": (16, 14, 10), "shared": False},
    "graded": {"sizes": (16, 12), "graded": True},
    "graded2": {"sizes": (12, 8, 8), "graded": True},
    "delay": {"sizes": (16, 14, 10), "delay": True},
}


class TestDenseBlocks:
    """The cells of the table of what SLAYER can run, through ``nd.run``."""

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("family", ["cuba", "alif", "rf", "rf_iz", "adrf"])
    def test_every_layer(self, slayer, family, cell):
        slayer, torch = slayer
        sent = None
        for seed in range(4):
            rng = np.random.default_rng([seed, 13])
            torch.manual_seed(seed)
            blocks = build(slayer, torch, rng, family, **CELLS[cell])
            spikes = (rng.random((2, 110, CELLS[cell]["sizes"][0])) < 0.25).astype(np.int32)
            expected = oracle.run_blocks(torch, blocks, spikes)
            network = oracle.network_of(blocks, spikes.shape[2])
            recording = nd.run(network, spikes, record=("spikes",))
            for population, messages in zip(network.populations[1:], expected, strict=True):
                np.testing.assert_array_equal(recording[population.name].spikes, messages)
            counts = np.array([np.count_nonzero(messages) for messages in expected])
            sent = counts if sent is None else sent + counts
        assert sent.min() > 40, sent

    def test_affine_is_a_leaky_integrator(self, slayer):
        slayer, torch = slayer
        rng = np.random.default_rng(14)
        block = slayer.block.cuba.Affine(draw_parameters(rng, "cuba"), 10, 6)
        weight = torch.from_numpy(rng.integers(-80, 80, block.synapse.weight.shape) / 64).float()
        block.synapse.weight.data = weight
        spikes = (rng.random((2, 120, 10)) < 0.3).astype(np.float32)
        with torch.no_grad():
            voltage = block(torch.from_numpy(spikes.transpose(0, 2, 1)))
        expected = oracle.exact(voltage * oracle.STATE_UNIT).transpose(0, 2, 1)
        theirs = block.neuron.device_params
        ours = LeakyIntegrator(int(theirs["iDecay"]), int(theirs["vDecay"]))
        network = nd.network.Network(
            (
                nd.network.Population("input", (10,), nd.network.Source()),
                nd.network.Population("affine", (6,), ours),
            ),
            (nd.network.Projection("input", "affine", oracle.synapse_of(block)),),
        )
        recording = nd.run(network, spikes.astype(np.int32), record=("spikes", "v"))
        np.testing.assert_array_equal(recording["affine"].v[:, 1:], expected[:, :-1])
        assert not recording.output.any()
        assert np.abs(expected).max() > 1000
