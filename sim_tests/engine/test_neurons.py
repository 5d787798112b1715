"""Every neuron model against the NumPy equations, SLAYER's CPU forward pass and Lava's models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    GradedThreshold,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    ResonateFire,
    Source,
    TernaryLIF,
    Threshold,
)
from sim_tests import reference
from sim_tests.engine.neuron_bench import (
    MODELS,
    draw_currents,
    draw_neuron,
    run_engine,
    run_reference,
)


def by_name(model):
    return model.__name__


def assert_same(found, expected):
    for name, a, b in zip(("messages", "u", "v"), found, expected, strict=True):
        if a is not None:
            np.testing.assert_array_equal(a, b, name)


class TestAgainstTheEquations:
    @pytest.mark.parametrize("model", MODELS, ids=by_name)
    def test_random_neurons_on_random_currents(self, model):
        sent = []
        for seed in range(40):
            rng = np.random.default_rng([seed, 1])
            size = int(rng.integers(1, 20))
            neuron = draw_neuron(rng, model, size)
            currents = draw_currents(rng, 2, 60, neuron, size)
            *found, _ = run_engine(neuron, currents, window=int(rng.choice([60, 7, 1])))
            assert_same(found, run_reference(neuron, currents))
            sent.append(np.count_nonzero(found[0]))
        if model is LeakyIntegrator:
            assert not any(sent)
        else:
            assert np.mean([count > 10 for count in sent]) > 0.6

    @pytest.mark.parametrize(
        "model",
        [AdaptiveCubaLIF, CubaLIF, GeneralCubaLIF, LeakyIntegrator, TernaryLIF],
        ids=by_name,
    )
    @pytest.mark.parametrize("gain", [1, 4000], ids=["small", "beyond 24 bits"])
    def test_a_model_s_own_numpy_step_is_what_the_engine_does(self, model, gain):
        overflowing = 0
        for seed in range(20):
            rng = np.random.default_rng([seed, 3])
            size = int(rng.integers(1, 20))
            neuron = draw_neuron(rng, GeneralCubaLIF if model is CubaLIF else model, size)
            if model is CubaLIF:
                neuron = CubaLIF(
                    neuron.current_decay, neuron.voltage_decay, neuron.threshold, neuron.bias
                )
            elif model is GeneralCubaLIF and seed % 4 == 0:  # payloads of 0
                neuron = replace(neuron, threshold=-2, graded_spike=True, reset="subtract")
            currents = gain * draw_currents(rng, 2, 60, neuron, size).astype(np.int64)
            currents = currents.clip(-(1 << 15), 1 << 15)
            states = {name: np.zeros((2, size), np.int64) for name in neuron.states}
            own = []
            for t in range(60):
                states, sent = neuron.step(states, currents[:, t])
                own.append((sent, states["u"], states["v"]))
            *found, overflows = run_engine(neuron, currents)
            assert_same(found, [np.stack(each, axis=1) for each in zip(*own, strict=True)])
            overflowing += sum(int(count.sum()) for count in overflows.values())
        assert overflowing or gain == 1

    @pytest.mark.parametrize("resets", [(11, 9), (2, 1), (1, 0)])
    @pytest.mark.parametrize("model", [m for m in MODELS if m.resettable], ids=by_name)
    def test_a_reset_returns_every_state_to_its_start(self, model, resets):
        for seed in range(8):
            rng = np.random.default_rng([seed, 2])
            neuron = draw_neuron(rng, model, 7)
            currents = draw_currents(rng, 2, 50, neuron, 7)
            *found, _ = run_engine(neuron, currents, resets=resets)
            assert_same(found, run_reference(neuron, currents, resets=resets))

    @pytest.mark.parametrize("model", [m for m in MODELS if m not in (Threshold, GradedThreshold)])
    def test_states_beyond_24_bits_are_counted(self, model):
        rng = np.random.default_rng(3)
        neuron = draw_neuron(rng, model, 5)
        currents = np.full((1, 40, 5 * neuron.ports), 1 << 19)
        *_, overflows = run_engine(neuron, currents)
        assert sum(count.sum() for count in overflows.values()) > 0

    def test_equal_parameters_are_one_integer(self):
        neuron = ALIF(np.full(4, 7, np.int32), 1, 2, 3, 4, 5)
        assert neuron.current_decay == 7

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"reset": "soft"}, "zero, subtract, subtract-late"),
            ({"reset": "subtract-late", "threshold": -1}, "threshold holds -1"),
            ({"reset_amount": 1 << 23}, "reset_amount holds 8388608"),
            ({"bias_into": "axon"}, "voltage, current"),
            ({"refractory": 0}, "refractory holds 0"),
            ({"input_exponent": 30}, "input_exponent holds 30"),
            ({"current_decay": 4097}, "current_decay holds 4097"),
        ],
    )
    def test_values_without_meaning_are_refused(self, change, message):
        with pytest.raises(NetworkError, match=message):
            GeneralCubaLIF(**{"current_decay": 1, "voltage_decay": 1, "threshold": 1, **change})


class TestModelsAgreeWhereTheyMeet:
    @pytest.mark.parametrize("seed", range(10))
    def test_general_cuba_with_defaults_is_cuba(self, seed):
        rng = np.random.default_rng([seed, 4])
        decays = rng.integers(0, 4097, (2, 9)).astype(np.int32)
        parameters = (*decays, int(rng.integers(20, 300)), int(rng.integers(-9, 9)))
        currents = draw_currents(rng, 2, 80, CubaLIF(*parameters), 9)
        *plain, plain_overflows = run_engine(CubaLIF(*parameters), currents)
        *general, overflows = run_engine(GeneralCubaLIF(*parameters), currents)
        assert_same(general, plain)
        for name, counts in plain_overflows.items():
            np.testing.assert_array_equal(overflows[name], counts)

    def test_leaky_integrator_is_a_cuba_neuron_that_never_spikes(self):
        rng = np.random.default_rng(5)
        currents = rng.integers(-3000, 5000, (2, 80, 6))
        *plain, _ = run_engine(CubaLIF(300, 20, (1 << 18) - 1, 3), currents)
        *leaky, overflows = run_engine(LeakyIntegrator(300, 20, 3), currents)
        assert_same(leaky, plain)
        assert overflows["v_overflows"].sum() > 0
        assert not leaky[0].any()

    def test_threshold_is_a_cuba_neuron_without_memory(self):
        rng = np.random.default_rng(6)
        currents = rng.integers(-200, 200, (2, 80, 6))
        plain, *_ = run_engine(CubaLIF(4096, 4096, 31, 7), currents)
        memoryless, *_ = run_engine(Threshold(31, 7), currents)
        np.testing.assert_array_equal(memoryless, plain)
        assert plain.any()

    def test_ternary_without_a_lower_threshold_is_cuba(self):
        rng = np.random.default_rng(7)
        currents = rng.integers(-120, 180, (2, 80, 6))
        *plain, _ = run_engine(CubaLIF(700, 100, 90), currents)
        *ternary, _ = run_engine(TernaryLIF(700, 100, 90, -(1 << 17)), currents)
        assert_same(ternary, plain)

    def test_a_refractory_period_keeps_silence_for_so_many_steps(self):
        currents = np.full((1, 100, 3), 100)
        neuron = GeneralCubaLIF(4096, 0, 50, refractory=np.array([1, 2, 5], np.int32))
        messages, *_ = run_engine(neuron, currents)
        np.testing.assert_array_equal(messages.sum(axis=(0, 1)), [100, 50, 20])

    def test_a_soft_reset_keeps_what_exceeds_the_threshold(self):
        currents = np.full((1, 90, 1), 30)
        soft, _, v, _ = run_engine(GeneralCubaLIF(4096, 0, 80, reset="subtract"), currents)
        assert v.min() > 0
        hard, *_ = run_engine(GeneralCubaLIF(4096, 0, 80), currents)
        assert soft.sum() > hard.sum()

    def test_a_late_soft_reset_leaves_the_threshold_after_the_decay(self):
        currents = np.array([100, 0, 0, 40]).reshape(1, 4, 1)
        neuron = GeneralCubaLIF(4096, 1024, 80, reset="subtract-late")
        messages, _, v, _ = run_engine(neuron, currents)
        assert messages.ravel().tolist() == [1, 0, 0, 0]
        kept = 6400 * 3072 // 4096 - 80 * 64
        below = -(-kept * 3072 // 4096)
        assert v.ravel().tolist() == [6400, kept, below, -(-below * 3072 // 4096) + 40 * 64]

    @pytest.mark.parametrize("seed", range(10))
    def test_threshold_by_keep_before_the_decay_is_the_late_reset_within_two_units(self, seed):
        rng = np.random.default_rng([seed, 10])
        decay = rng.integers(1, 3500, 300).astype(np.int32)
        threshold = rng.integers(40, 400, 300).astype(np.int32)
        amount = np.rint(threshold * 64 * 4096 / (4096 - decay)).astype(np.int32)
        spiking = rng.integers(threshold + 1, 4 * threshold)
        currents = np.stack([spiking, rng.integers(-40, 40, 300)])[None]  # a spike, a reset
        common = (4096, decay, threshold)
        late, _, v, _ = run_engine(GeneralCubaLIF(*common, reset="subtract-late"), currents)
        early = GeneralCubaLIF(*common, reset="subtract", reset_amount=amount)
        sent, _, w, _ = run_engine(early, currents)
        np.testing.assert_array_equal(sent[:, 0], late[:, 0])
        assert late[:, 0].all()
        before = np.abs(v[:, 1] - (w[:, 1] + amount * sent[:, 1]))
        assert before.max() <= 2
        assert before.any()

    @pytest.mark.parametrize("seed", range(10))
    def test_adaptive_cuba_without_a_step_is_cuba(self, seed):
        rng = np.random.default_rng([seed, 11])
        du, dv, dw = rng.integers(0, 4097, (3, 9)).astype(np.int32)
        threshold, bias = int(rng.integers(20, 300)), int(rng.integers(-9, 9))
        plain = CubaLIF(du, dv, threshold, bias)
        currents = draw_currents(rng, 2, 80, plain, 9)
        *found, _ = run_engine(AdaptiveCubaLIF(du, dv, dw, threshold, 0, bias), currents)
        *expected, _ = run_engine(plain, currents)
        assert_same(found, expected)

    def test_an_adaptation_current_is_one_step_late_and_decays_by_its_own(self):
        currents = np.array([100, 0, 0, 40]).reshape(1, 4, 1)
        neuron = AdaptiveCubaLIF(4096, 1024, 2048, 80, 1000)
        messages, _, v, _ = run_engine(neuron, currents)
        assert messages.ravel().tolist() == [1, 0, 0, 0]
        second = -750 - 500  # a quarter of it leaks, then half of the first 1000 joins
        third = -(1250 * 3072 // 4096) - 250 + 40 * 64
        assert v.ravel().tolist() == [0, -1000, second, third]


class TestInNetworks:
    @pytest.mark.parametrize("seed", range(20))
    def test_chains_of_every_real_model(self, seed):
        """Through synapses, delays and windows of time, with mixed models and graded messages."""
        rng = np.random.default_rng([seed, 8])
        takes_states = (ALIF, GeneralCubaLIF, LeakyIntegrator)
        populations = [Population("input", (8,), Source())]
        projections = []
        for index in range(3):
            size = int(rng.integers(3, 12))
            source = populations[-1]
            of_states = getattr(source.neuron, "graded_spike", False)
            models = takes_states if of_states else [m for m in MODELS if m.ports == 1]
            neuron = draw_neuron(rng, models[rng.integers(len(models))], size)
            if of_states:  # keeps what arrives within int32
                neuron = replace(neuron, input_exponent=-6)
            delay = rng.integers(0, 4, size).astype(np.int32) if rng.random() < 0.4 else None
            scale = 4 if source.neuron.graded and index else 90
            weight = 2 * rng.integers(-scale, scale + scale // 2, (size, source.size))
            populations.append(Population(f"p{index}", (size,), neuron, delay))
            projections.append(Projection(source.name, f"p{index}", Dense(weight.astype(np.int32))))
        network = Network(tuple(populations), tuple(projections))
        values = (rng.random((2, 50, 8)) < 0.4).astype(np.int32)
        recording = nd.run(network, values, record=("spikes", "states"))
        for index, sample in enumerate(values):
            truth = reference.simulate(network, sample)
            for population in network.populations:
                for variable, expected in truth[population.name].items():
                    found = recording[population.name][variable][index]
                    np.testing.assert_array_equal(found, expected, population.name)


def test_a_resonator_needs_two_currents():
    with pytest.raises(NetworkError, match="complex"):
        Network(
            (Population("input", (2,), Source()), Population("rf", (2,), ResonateFire(1, 1, 1))),
            (Projection("input", "rf", Dense(np.ones((2, 2), np.int32))),),
        )
