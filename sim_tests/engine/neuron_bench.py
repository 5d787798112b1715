"""Runs one population of the engine on currents given by hand, without synapses; draws neurons."""

from __future__ import annotations

import numpy as np

from neurodeploy.core.simulate import simulate
from neurodeploy.inputs.arrays import Presented
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    Complex,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    Network,
    OneToOne,
    Population,
    Product,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
    Source,
    Sparse,
    TernaryLIF,
    Threshold,
)
from sim_tests.core.against_equations import joined
from sim_tests.reference_neurons import CELLS

MODELS = (
    ALIF,
    AdaptiveCubaLIF,
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
    Product,
    ResonateFireZero,
)


def driven_by_hand(neuron, size, starts=0):
    """Neurons whose currents are what is presented, [samples, steps, ports x neurons]."""
    synapse = OneToOne(1)
    if neuron.ports == 2:
        half = np.eye(size, dtype=np.int32), np.zeros((size, size), np.int32)
        synapse = Complex(*(Sparse.from_dense(np.hstack(h)) for h in (half, half[::-1])))
    return Network(
        (
            Population("currents", (neuron.ports * size,), Source(signed=True)),
            Population("neurons", (size,), neuron, starts=starts),
        ),
        (Projection("currents", "neurons", synapse),),
    )


def run_engine(neuron, currents, *, resets=(None, 0), window=0):
    """Step [samples, steps, ports x neurons]; (messages, u, v, overflows), u and v None if none.

    Of `resets` (interval, offset), states return to zero before steps offset + k interval.
    """
    _, steps, width = currents.shape
    # The currents arrive a step after they are presented; the neurons rest until then.
    network = driven_by_hand(neuron, width // neuron.ports, starts=1)
    limits = int(currents.min()), int(currents.max())
    values = Presented(np.ascontiguousarray(currents, np.int32), steps + 1, None, limits)
    found = joined(
        simulate(
            network, values, states=("u", "v"), window=window,
            reset_interval=resets[0], reset_offset=resets[1],
        )
    )["neurons"]  # fmt: skip
    overflows = {name: array for name, array in found.items() if name.endswith("overflows")}
    kept = (found[name][:, 1:] if name in found else None for name in ("spikes", "u", "v"))
    return *kept, overflows


def run_reference(neuron, currents, *, resets=(None, 0)):
    """The same from the NumPy equations."""
    interval, offset = resets
    samples, steps, width = currents.shape
    found = {name: [] for name in ("messages", "u", "v")}
    for s in range(samples):
        cell = CELLS[type(neuron)](neuron, width // neuron.ports)
        for t in range(steps):
            if interval and t % interval == offset:
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
    if model is AdaptiveCubaLIF:
        return AdaptiveCubaLIF(
            decay(), decay(), decay(), value(1, 400), value(-2000, 20000), value(-20, 20)
        )
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
    if model is Product:
        return Product(value(0, 100), int(rng.integers(0, 12)))
    if model is ResonateFireZero:
        angle, kept = 2 * np.pi / rng.uniform(4, 40, size), rng.uniform(0.8, 1, size)
        sine, cosine = ((2**15 * kept * part(angle)).astype(np.int32) for part in (np.sin, np.cos))
        return ResonateFireZero(sine, cosine, value(-20, 200))
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
