"""The engine's neurons against Lava's process models, whose code runs here without processes.

`sim_tests.engine.test_against_lava` runs whole networks; this is for models
that the lava backend does not run, fed with currents by hand.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from neurodeploy.network import (
    ALIF,
    GradedThreshold,
    ResonateFire,
    ResonateFireIzhikevich,
    TernaryLIF,
)
from sim_tests.engine.neuron_bench import run_engine

SEEDS, STEPS, SIZE = 8, 150, 9


class Port:
    """Stands in for a Lava port: gives what it was told to give, keeps what was sent."""

    def recv(self):
        return self.value.copy()

    def send(self, value):
        self.value = np.array(value)


def run_lava(model, currents, states, inputs=("a_in",), **variables):
    """Run a process model [steps, ports, neurons]; (messages, *states), each [steps, neurons]."""
    ports = {name: Port() for name in (*inputs, "s_out")}
    for name, value in {**ports, **variables}.items():
        setattr(model, name, value)
    kept = []
    for current in currents:
        for name, part in zip(inputs, current, strict=True):
            ports[name].value = part.astype(np.int32)
        model.run_spk()
        sent = np.asarray(ports["s_out"].value).astype(np.int64)
        kept.append((sent, *(np.array(getattr(model, name), np.int64) for name in states)))
    return [np.array(values) for values in zip(*kept, strict=True)]


def zeros():
    return np.zeros(SIZE, np.int32)


@pytest.fixture(scope="module")
def models():
    """Lava's modules of process models, by name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from lava.proc.atrlif import models as atrlif
            from lava.proc.graded import models as graded
            from lava.proc.lif import models as lif
            from lava.proc.rf import models as rf
            from lava.proc.rf_iz import models as rf_iz
    except ImportError:
        pytest.skip("needs lava-nc: neurodeploy doctor --add lava")
    return {"atrlif": atrlif, "graded": graded, "lif": lif, "rf": rf, "rf_iz": rf_iz}


def draw(seed, ports=1):
    """Currents from weak to so strong that states wrap and clip."""
    rng = np.random.default_rng([seed, 20])
    strength = [60, 60, 250, 250, 1000, 1000, 60, 300_000][seed]
    return rng, rng.integers(-strength, strength * 3 // 2, (STEPS, ports, SIZE))


def compare(neuron, currents, expected):
    """Whole arrays of messages and states; gives the messages sent and the overflows counted."""
    flat = currents.reshape(1, STEPS, -1)
    messages, u, v, overflows = run_engine(neuron, flat)
    found = [messages[0]] + [state[0] for state in (u, v) if state is not None]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    return np.count_nonzero(messages), sum(int(count.sum()) for count in overflows.values())


def test_ternary(models):
    total, limits, negative = 0, 0, 0
    for seed in range(SEEDS):
        rng, currents = draw(seed)
        du, dv, upper = (int(n) for n in rng.integers([1, 0, 10], [4097, 4097, 3000]))
        lower, bias = -int(rng.integers(10, 3000)), int(rng.integers(-20, 20))
        expected = run_lava(
            models["lif"].PyTernLifModelFixed({}), currents, ("u", "v"),
            u=zeros(), v=zeros(), du=du - 1, dv=dv, vth_hi=upper, vth_lo=lower,
            bias_mant=np.full(SIZE, bias, np.int16), bias_exp=np.int16(6),
        )  # fmt: skip
        sent, over = compare(TernaryLIF(du, dv, upper, lower, bias), currents, expected)
        total, limits = total + sent, limits + over
        negative += np.count_nonzero(expected[0] == -1)
    assert min(negative, total - negative) > 100
    assert limits > 0


@pytest.mark.parametrize(
    ("name", "rectify"), [("PyGradedVecModelFixed", False), ("PyGradedReluVecModelFixed", True)]
)
def test_graded_threshold(models, name, rectify):
    for seed in range(SEEDS):
        rng, currents = draw(seed)
        threshold = rng.integers(0, 200, SIZE).astype(np.int32)
        expected = run_lava(
            getattr(models["graded"], name)({}), currents, (), v=zeros(), vth=threshold
        )
        sent, _ = compare(GradedThreshold(threshold, rectify), currents, expected)
        assert sent > 20
        assert (expected[0].min() < 0) != rectify


@pytest.mark.parametrize(
    ("module", "name", "neuron"),
    [
        ("rf", "PyRFModelFixed", ResonateFire),
        ("rf_iz", "PyRF_IZModelFixed", ResonateFireIzhikevich),
    ],
)
def test_resonators(models, module, name, neuron):
    total, limits = 0, 0
    for seed in range(SEEDS):
        rng, currents = draw(seed, ports=2)
        angle, kept = 2 * np.pi / rng.uniform(4, 30), rng.uniform(0.8, 1)
        sine, cosine = int(4095 * kept * np.sin(angle)), int(4095 * kept * np.cos(angle))
        threshold = int(rng.integers(0, 400))
        model_class = getattr(models[module], name)
        parameters = {
            "sin_decay": sine, "cos_decay": cosine, "vth": np.int32(threshold << 6),
            "state_exp": np.int32(6), "decay_bits": np.int32(12), "real": zeros(), "imag": zeros(),
        }  # fmt: skip
        # The model takes its width from the decay's declared precision before it has a value.
        model = model_class.__new__(model_class)
        limit = (1 << 23) - 1
        model.neg_voltage_limit, model.pos_voltage_limit = np.int32(-limit), np.int32(limit)
        expected = run_lava(
            model, currents, ("real", "imag"), ("a_real_in", "a_imag_in"), **parameters
        )
        sent, over = compare(neuron(sine, cosine, threshold), currents, expected)
        total, limits = total + sent, limits + over
    assert total > 300
    assert limits > 0


def test_alif_is_atrlif(models):
    total, limits = 0, 0
    for seed in range(SEEDS):
        rng, currents = draw(seed)
        # Also what never decays, what is at or below rest, and thresholds beyond 24 bits.
        di, dv, dt, dr = (
            int(n) for n in rng.choice([0, 1, 4095, 4096, *rng.integers(0, 4097, 9)], 4)
        )
        low, high = [(10, 400), (10, 400), (-60, 60), (10, 1 << 22)][seed % 4]
        threshold, step = int(rng.integers(low, high)), int(rng.integers(0, 60))
        expected = run_lava(
            models["atrlif"].PyATRLIFModelFixed({}), currents, ("i", "v"),
            i=zeros(), v=zeros(), theta=zeros(), r=zeros(), s=np.zeros(SIZE, np.bool_),
            delta_i=(di - 1) / 4096, delta_v=dv / 4096, delta_theta=dt / 4096, delta_r=dr / 4096,
            theta_0=threshold, theta_step=step,
            bias_mant=np.zeros(SIZE, np.int16), bias_exp=np.zeros(SIZE, np.int16),
        )  # fmt: skip
        sent, over = compare(ALIF(di, dv, dt, dr, threshold, step), currents, expected)
        total, limits = total + sent, limits + over
    assert total > 300
    assert limits > 0
