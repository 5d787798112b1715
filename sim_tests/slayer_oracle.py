"""SLAYER's CPU forward pass as an oracle: its neurons as ours, its floats as our integers.

SLAYER computes in floats that are exact multiples of small powers of two:
spikes are 0 or 1, synaptic currents multiples of 1/64, states and graded
spikes multiples of 1/4096. float32 holds all of them as long as the integers
stay below 2^24.

A block delays its output by one step, as the chip does, so a block's spikes
at step t are our population's at step t of the chip clock; a block's states at
step t are ours at t + the block's hops.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings

import numpy as np
import pytest

from neurodeploy.network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    ComplexDense,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    Source,
)

CURRENT_UNIT = 64
STATE_UNIT = 4096
GRADED_EXPONENT = -6
"""`input_exponent` of a population that takes SLAYER's graded spikes."""


@contextlib.contextmanager
def quiet():
    """Swallow what importing SLAYER prints about CUDA and cameras, and what it warns of."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def import_slayer():
    """Give (slayer, torch), or skip the test that asks."""
    reason = "needs lava-dl: neurodeploy doctor --add lava-dl"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch = importlib.import_module("torch")  # keeps the stderr it is born with
        with quiet():
            return importlib.import_module("lava.lib.dl.slayer"), torch
    except ImportError:
        pytest.skip(reason)


def neuron_of(slayer_neuron, *, input_exponent=6):
    """Our neuron from a SLAYER neuron's quantised parameters; one value a channel becomes flat."""
    params = slayer_neuron.device_params
    shape = slayer_neuron.shape

    def flat(key):
        values = np.asarray(params[key], np.int64).ravel()
        if values.size == 1:
            return int(values[0])
        return np.repeat(values, int(np.prod(shape)) // values.size).astype(np.int32)

    graded = bool(params.get("gradedSpike", False))
    extra = {"graded_spike": graded, "input_exponent": input_exponent}
    kind = params["type"]
    if kind == "CUBA":
        decays = flat("iDecay"), flat("vDecay"), flat("vThMant")
        plain = not graded and input_exponent == 6
        return CubaLIF(*decays) if plain else GeneralCubaLIF(*decays, **extra)
    adaptive = {}
    if "thDecay" in params:
        adaptive = {
            "threshold_decay": flat("thDecay"),
            "refractory_decay": flat("refDecay"),
            "threshold_step": flat("vThStep"),
        }
    if kind == "ALIF":
        return ALIF(flat("iDecay"), flat("vDecay"), threshold=flat("vThMant"), **adaptive, **extra)
    model = {
        "RF_PHASE": ResonateFire,
        "RF_IZHIKEVICH": ResonateFireIzhikevich,
        "ADRF_PHASE": AdaptiveResonateFire,
        "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich,
    }[kind]
    turning = {"sin_decay": flat("sinDecay"), "cos_decay": flat("cosDecay")}
    return model(**turning, threshold=flat("vThMant"), **adaptive, **extra)


def synapse_of(block):
    """Our synapse from a SLAYER dense block's quantised weights."""

    def integers(synapse):
        weight = synapse.pre_hook_fx(synapse.weight, descale=True).detach().numpy()
        return weight.reshape(weight.shape[:2]).astype(np.int32)

    if block.synapse.complex:
        return ComplexDense(integers(block.synapse.real), integers(block.synapse.imag))
    return Dense(integers(block.synapse))


def network_of(blocks, sources):
    """Our network from a chain of SLAYER dense blocks that have run once."""
    populations = [Population("input", (sources,), Source())]
    projections = []
    for index, block in enumerate(blocks):
        source = populations[-1]
        from_graded = index > 0 and source.neuron.graded
        neuron = neuron_of(block.neuron, input_exponent=GRADED_EXPONENT if from_graded else 6)
        delay = None
        if block.delay is not None:
            delay = np.floor(block.delay.delay.detach().numpy()).ravel().astype(np.int32)
        name = f"{index}_dense"
        populations.append(Population(name, (block.synapse.out_channels,), neuron, delay))
        projections.append(Projection(source.name, name, synapse_of(block)))
    return Network(tuple(populations), tuple(projections))


def run_blocks(torch, blocks, spikes):
    """Messages of every block, int64 [samples, steps, neurons], for spikes of that form."""
    messages = []
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(spikes.transpose(0, 2, 1)).astype(np.float32))
        for block in blocks:
            x = block(x)
            unit = STATE_UNIT if block.neuron.graded_spike else 1
            messages.append(exact(x * unit).transpose(0, 2, 1))
    return messages


def exact(values):
    """Floats as the integers they are; anything else is an error of the test."""
    array = values.detach().numpy().astype(np.float64)
    assert (array == np.rint(array)).all()
    assert np.abs(array).max(initial=0) < 2**24, "beyond what float32 holds"
    return array.astype(np.int64)


def drive(torch, neuron, currents):
    """Run a SLAYER neuron on integer currents [samples, steps, ports, neurons].

    Returns
    -------
    messages : int64 [samples, steps, neurons]
    dynamics : list of int64 [samples, steps, neurons]
        What the neuron's ``dynamics`` gives, before any reset, in the state's unit.
    """
    x = torch.from_numpy(currents.transpose(2, 0, 3, 1).astype(np.float32) / CURRENT_UNIT)
    with torch.no_grad():
        dynamics = neuron.dynamics((x[0], x[1]) if len(x) == 2 else x[0])
        # Where `forward` fails (adrf_iz) its two halves still work, one after the other. The
        # resonators' `spike` takes all that `dynamics` gives, the others' all but the current.
        messages = neuron.spike(*(dynamics if len(x) == 2 else dynamics[1:]))
    unit = STATE_UNIT if neuron.graded_spike else 1
    states = [exact(d * STATE_UNIT).transpose(0, 2, 1) for d in dynamics]
    return exact(messages * unit).transpose(0, 2, 1), states
