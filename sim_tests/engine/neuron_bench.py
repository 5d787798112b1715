"""Runs one population of the engine on currents given by hand, without synapses; draws neurons."""

from __future__ import annotations

import numpy as np

from neurodeploy.engine.events import EventBuffer
from neurodeploy.engine.neurons import STEPPERS
from neurodeploy.network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    Population,
    ResonateFire,
    ResonateFireIzhikevich,
    TernaryLIF,
    Threshold,
)
from sim_tests.reference_neurons import CELLS

MODELS = (
    ALIF,
    ResonateFire,
    ResonateFireIzhikevich,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    LeakyIntegrator,
    TernaryLIF,
    Threshold,
    GradedThreshold,
)


def run_engine(neuron, currents, *, resets=None, window=None):
    """Step [samples, steps, ports x neurons]; (messages, u, v, overflows), u and v None if none."""
    samples, steps, width = currents.shape
    population = Population("neurons", (width // neuron.ports,), neuron)
    if resets is None:
        resets = np.zeros(steps, np.bool_)
    stepper = STEPPERS[neuron.kind](population).begin(samples, steps, ("u", "v"), resets)
    window = window or steps
    events = EventBuffer.empty(samples, steps, samples * window * population.size, neuron.graded)
    currents = np.ascontiguousarray(currents, np.int32)
    for t0 in range(0, steps, window):
        part = np.ascontiguousarray(currents[:, t0 : t0 + window])
        events.reserve(samples * window * population.size)
        stepper.step(part, t0, events)
    messages = np.zeros((samples, steps, population.size), np.int64)
    for s in range(samples):
        for t in range(steps):
            listed = slice(events.start[s, t], events.start[s, t] + events.count[s, t])
            payload = events.payload[listed] if neuron.graded else 1
            messages[s, t, events.neuron[listed]] = payload
    return messages, stepper.kept.get("u"), stepper.kept.get("v"), stepper.overflows


def run_reference(neuron, currents, *, resets=None):
    """The same from the NumPy equations."""
    samples, steps, width = currents.shape
    found = {name: [] for name in ("messages", "u", "v")}
    for s in range(samples):
        cell = CELLS[type(neuron)](neuron, width // neuron.ports)
        for t in range(steps):
            if resets is not None and resets[t]:
                cell.reset()
            found["messages"].append(cell.step(currents[s, t].astype(np.int64)))
            found["u"].append(cell.u)
            found["v"].append(cell.v)
    shape = (samples, steps, width // neuron.ports)
    return tuple(np.array(found[name]).reshape(shape) for name in ("messages", "u", "v"))


def draw_neuron(rng, model, size):
    """A neuron of a model with random parameters, one for all or one for each."""

    def value(low, high):
        return int(rng.integers(low, high)) if rng.random() < 0.5 else array(low, high)

    def array(low, high):
        return rng.integers(low, high, size).astype(np.int32)

    def decay():
        if rng.random() < 0.4:
            return array(0, 4097)
        return int(rng.choice([0, 1, 410, 2048, 4095, 4096]))

    graded = bool(rng.random() < 0.3)
    exponent = int(rng.choice([6, 6, 6, 0, -3, 8]))
    extra = {"graded_spike": graded, "input_exponent": exponent}
    if model is ALIF:
        return ALIF(
            decay(), decay(), decay(), decay(),
            value(1, 400), value(0, 100), value(-20, 20), **extra,
        )  # fmt: skip
    if issubclass(model, (ResonateFire, AdaptiveResonateFire)):
        period, kept = rng.uniform(4, 40, size), rng.uniform(0.8, 1, size)
        if rng.random() < 0.3:
            period, kept = period[0], kept[0]
        turning = {
            "sin_decay": (4095 * kept * np.sin(2 * np.pi / period)).astype(np.int32),
            "cos_decay": (4095 * kept * np.cos(2 * np.pi / period)).astype(np.int32),
        }
        if rng.random() < 0.1:
            turning = {"sin_decay": array(-4096, 4097), "cos_decay": array(-4096, 4097)}
        turning = {k: v if np.ndim(v) else int(v) for k, v in turning.items()}
        adaptive = {}
        if issubclass(model, AdaptiveResonateFire):
            adaptive = {
                "threshold_decay": decay(), "refractory_decay": decay(),
                "threshold_step": value(0, 60),
            }  # fmt: skip
        return model(**turning, threshold=value(0, 120), **adaptive, **extra)
    if model is GeneralCubaLIF:
        return GeneralCubaLIF(
            decay(), decay(), value(1, 400), value(-20, 20),
            bias_into=str(rng.choice(["voltage", "current"])),
            reset=str(rng.choice(["zero", "subtract", "subtract-late"])),
            refractory=value(1, 6), reset_amount=value(0, 30000) if rng.random() < 0.4 else None,
            **extra,
        )  # fmt: skip
    if model is LeakyIntegrator:
        return LeakyIntegrator(decay(), decay(), value(-20, 20), exponent)
    if model is TernaryLIF:
        return TernaryLIF(decay(), decay(), value(-50, 300), value(-300, 50), value(-20, 20))
    if model is GeneralSigmaDelta:
        bounds = [
            {},
            {"lowest": 0},
            {"lowest": -300, "highest": 2000},
            {"lowest": 0, "highest": 384},
        ]
        return GeneralSigmaDelta(
            value(0, 500), value(-200, 300), **bounds[rng.integers(4)],
            message_shift=int(rng.integers(0, 9)),
        )  # fmt: skip
    if model is Threshold:
        return Threshold(value(-50, 100), value(-20, 20))
    return GradedThreshold(value(0, 100), bool(rng.random() < 0.5))


def draw_currents(rng, samples, steps, neuron, size):
    """Currents [samples, steps, ports x size]: sparse, dense, held, or strong as the limits."""
    # A smaller exponent stands for larger messages.
    scale = 1 << max(0, 6 - getattr(neuron, "input_exponent", 6))
    return scale * _weight_units(rng, (samples, steps, neuron.ports * size))


def _weight_units(rng, shape):
    kind = rng.choice(["sparse", "dense", "held", "strong"], p=[0.3, 0.3, 0.3, 0.1])
    if kind == "sparse":
        return rng.integers(-256, 256, shape) * (rng.random(shape) < 0.15)
    if kind == "dense":
        return rng.integers(-120, 180, shape)
    if kind == "held":
        return rng.integers(-60, 90, (shape[0], 1, shape[2])) + rng.integers(-20, 20, shape)
    return rng.integers(-30000, 30000, shape)
