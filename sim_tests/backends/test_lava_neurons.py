"""Every neuron model that Lava has a process of, in random networks: Lava against the engine.

Parameters are drawn from all that our models hold, so what `lava_rules` lets through must be
equal, number by number. `NEURODEPLOY_NETWORKS=200 NEURODEPLOY_SEED=7` draws others, and more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NeurodeployError, UnsupportedError
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    Complex,
    ComplexConv,
    ComplexDense,
    Conv,
    CubaLIF,
    DelayedDense,
    DelayedSparse,
    Delta,
    Dense,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    Network,
    Population,
    Product,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
    SigmaDelta,
    Source,
    Sparse,
    TernaryLIF,
    Threshold,
)
from neurodeploy.recording.run_options import RunOptions, to_record
from neurodeploy.remote.job import write_job
from neurodeploy.targets.lava_rules import check_supported
from sim_tests.engine.neuron_bench import draw_neuron

MODELS = (
    ALIF,
    Delta,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    Product,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
    SigmaDelta,
    TernaryLIF,
    Threshold,
)
NETWORKS = max(2, int(os.environ.get("NEURODEPLOY_NETWORKS", "20")) // 10)
FIRST_SEED = int(os.environ.get("NEURODEPLOY_SEED", "0")) * 100_000
RECORD = ("counts", "spikes", "states")
RESETS = {"reset_interval": 8, "reset_offset": 3}
ROOT = Path(__file__).parents[2]
SAMPLES, STEPS = 2, 24
IMAGE, SIZE = (1, 2, 3), 6
"""Of every population, so that matrices and convolutions both fit."""


def drawn_neuron(rng, model):
    if model in (Delta, SigmaDelta):
        bits = int(rng.integers(0, 13))
        threshold = rng.integers(0, 6 << bits, SIZE).astype(np.int32)
        if model is Delta:
            return Delta(threshold, bits)
        bias = rng.integers(-(20 << bits), 40 << bits, SIZE).astype(np.int32)
        return SigmaDelta(threshold, bias, bool(rng.random() < 0.5), bits)
    return draw_neuron(rng, model, SIZE)


def weights(rng, *shape):
    low, high = [(-60, 80), (0, 120), (-127, 128)][rng.integers(3)]
    even = 2 if high < 128 else 1
    return (even * rng.integers(low, high, shape)).astype(np.int32)


def matrix(rng):
    weight = weights(rng, SIZE, SIZE)
    delay = rng.integers(0, 6, weight.shape).astype(np.int32)
    kind = rng.choice(["dense", "sparse", "delayed", "delayed-sparse"])
    if kind == "sparse":
        return Sparse.from_dense((weight * (rng.random(weight.shape) < 0.6)).astype(np.int32))
    if kind == "delayed":
        return DelayedDense(weight, delay)
    if kind == "delayed-sparse":
        return DelayedSparse.of(np.where(delay < 4, weight, 0).astype(np.int32), delay)
    return Dense(weight)


def kernel(rng):
    return weights(rng, 1, 1, 3, 3)


def synapse(rng, ports):
    """Between any two populations, of one current or of two."""
    kind = rng.choice(["matrix", "conv"]) if ports == 1 else rng.choice(["dense", "conv", "parts"])
    if kind == "matrix":
        return matrix(rng)
    if kind == "dense":
        return ComplexDense(weights(rng, SIZE, SIZE), weights(rng, SIZE, SIZE))
    if kind == "parts":
        return Complex(*(Sparse.from_dense(weights(rng, SIZE, SIZE)) for _ in "ri"))
    if ports == 1:
        return Conv(kernel(rng), padding=(1, 1))
    return ComplexConv(kernel(rng), kernel(rng), padding=(1, 1))


def supported(rng, model):
    """Neurons with parameters that the rules let through."""
    while True:
        neuron = drawn_neuron(rng, model)
        network = network_of(rng, {model: neuron})
        try:
            check_supported(network, RunOptions(steps=STEPS))
        except UnsupportedError:
            continue
        return neuron


def network_of(rng, neurons):
    """Populations that hear a port of payloads, or spikes of neurons behind it; some loop.

    All that send are heard by one more population.
    """
    populations = [
        Population("input", IMAGE, Source(signed=True)),
        Population("spikes", IMAGE, CubaLIF(2000, 900, 60)),
    ]
    projections = [Projection("input", "spikes", synapse(rng, 1))]
    for model, neuron in neurons.items():
        name = model.__name__
        populations.append(Population(name, IMAGE, neuron))
        # Of neurons without memory what arrives is bounded by weights alone.
        source = "spikes" if model is Threshold or rng.random() < 0.4 else "input"
        projections.append(Projection(source, name, synapse(rng, neuron.ports)))
        if not neuron.graded and not neuron.is_readout and rng.random() < 0.3:
            projections.append(Projection(name, name, synapse(rng, neuron.ports)))
    populations.append(Population("out", IMAGE, CubaLIF(2000, 900, 900)))
    projections.append(Projection("spikes", "out", synapse(rng, 1)))
    for model, neuron in neurons.items():
        if not neuron.is_readout:
            projections.append(Projection(model.__name__, "out", Dense(weights(rng, SIZE, SIZE))))
    return Network(tuple(populations), tuple(projections))


def drawn_network(seed, models):
    rng = np.random.default_rng(seed)
    network = network_of(rng, {model: supported(rng, model) for model in models})
    strength = int(rng.choice([2, 30, 300, 2000]))
    values = rng.integers(-strength, strength + 2, (SAMPLES, STEPS, *IMAGE))
    return network, (values * (rng.random(values.shape) < 0.6)).astype(np.int32)


def run_on_lava(folder, networks, **options):
    """Recordings of many networks, made in one process: importing Lava takes seconds."""
    jobs = []
    for number, (network, values) in enumerate(networks):
        jobs.append(folder / str(number))
        jobs[-1].mkdir()
        run = RunOptions(values.shape[1], to_record(network, RECORD), **options)
        write_job(jobs[-1], "lava", network, values, run)
    done = subprocess.run(
        [sys.executable, "-m", "sim_tests.lava_batch", "lava", *map(str, jobs)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    missing = set(map(str, jobs)) - set(done.stdout.split())
    assert not missing, f"{min(missing)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return [nd.Recording.load(job / "recording.h5") for job in jobs]


def assert_equal(network, values, theirs, what, **options):
    ours = nd.run(network, values, record=RECORD, apply_transform=False, **options)
    for population in network.populations:
        for state in ("spikes", *population.neuron.states):
            np.testing.assert_array_equal(
                ours[population.name][state],
                theirs[population.name][state],
                f"{what}: {population.name}, {state}",
            )
    return ours


def assert_random_networks_are_equal(folder, networks, first_seed):
    resettable = tuple(model for model in MODELS if model.resettable)
    activity = Counter()
    for models, options in ((MODELS, {}), (resettable, RESETS)):
        drawn = [drawn_network(first_seed + n, models) for n in range(networks)]
        place = folder / str(len(models))
        place.mkdir()
        recordings = run_on_lava(place, drawn, **options)
        for seed, (made, theirs) in enumerate(zip(drawn, recordings, strict=True), first_seed):
            ours = assert_equal(*made, theirs, f"seed {seed}, {options}", **options)
            for model in models:
                seen = ours[model.__name__]
                heard = seen.v if model.is_readout else seen.counts
                activity[model.__name__] += int(np.count_nonzero(heard))
    assert all(activity[model.__name__] for model in MODELS), activity


@pytest.mark.usefixtures("lava")
def test_random_networks_of_all_models_are_equal(tmp_path):
    assert_random_networks_are_equal(tmp_path, NETWORKS // 2, FIRST_SEED)


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_many_random_networks_of_all_models_are_equal(tmp_path):
    assert_random_networks_are_equal(tmp_path, 6 * NETWORKS, FIRST_SEED + 50_000)


@pytest.mark.usefixtures("lava")
def test_a_bias_of_the_current_begins_with_its_population_and_payloads_arrive_whole(tmp_path):
    """SLAYER's ALIF with norms; and 4-24-3 neurons that hear payloads, as lava-dl's users feed."""
    rng = np.random.default_rng(5)
    input_ = Population("input", (6,), Source())
    biased = [
        ALIF(900, 300, 40, 60, 30, 9, bias=rng.integers(-9, 30, SIZE).astype(np.int32))
        for _ in range(2)
    ]
    late = Network(
        (
            input_,
            Population("first", (SIZE,), biased[0], starts=1),
            Population("second", (SIZE,), biased[1], starts=2),
        ),
        (
            Projection("input", "first", Dense(weights(rng, SIZE, SIZE))),
            Projection("first", "second", Dense(weights(rng, SIZE, SIZE))),
        ),
    )
    spikes = (rng.random((2, STEPS, 6)) < 0.3).astype(np.int32)
    neuron = CubaLIF(1024, 123, 112)
    fed = Network(
        (
            Population("input", (4,), Source()),
            Population("hidden", (24,), neuron),
            Population("out", (3,), neuron),
        ),
        (
            Projection("input", "hidden", Dense(2 * rng.integers(-22, 25, (24, 4), np.int32))),
            Projection("hidden", "out", Dense(2 * rng.integers(-22, 25, (3, 24), np.int32))),
        ),
    )
    payloads = np.repeat(rng.integers(1, 8, (3, 1, 4)), 20, axis=1).astype(np.int32)
    cases = (late, spikes), (fed, payloads)
    for (network, values), theirs in zip(cases, run_on_lava(tmp_path, cases), strict=True):
        ours = assert_equal(network, values, theirs, network.output.name)
        assert ours.output.any()


@pytest.mark.usefixtures("lava")
def test_payloads_that_would_wrap_in_lavas_convolution_alone_are_refused():
    size = 1 << 15
    network = Network(
        (
            Population("input", IMAGE, Source()),
            Population("out", IMAGE, ResonateFire(300, 2000, 100)),
        ),
        (Projection("input", "out", ComplexConv(*[np.full((1, 1, 1, 1), 256, np.int32)] * 2)),),
    )
    values = np.full((1, 4, *IMAGE), size, np.int32)
    with pytest.raises(NeurodeployError, match="sums up to 8388608, which Lava's Conv wraps"):
        nd.run(network, values, backend="lava")


@pytest.mark.parametrize(
    ("neuron", "said"),
    [
        (GeneralCubaLIF(1, 1, 1, reset="subtract"), "reset subtract, and Lava's process of"),
        (GeneralCubaLIF(1, 1, 1, refractory=4), "refractory 4"),
        (GeneralCubaLIF(1, 1, 1, graded_spike=True), "graded_spike True"),
        (GeneralCubaLIF(1, 1, 1, voltage_exponent=-1), "voltage_exponent -1"),
        (LeakyIntegrator(1, 1, input_exponent=-6), "input_exponent -6"),
        (LeakyIntegrator(1, 1, bias=1 << 15), "bias 32768 is beyond the 32767"),
        (ALIF(1, 1, 1, 1, 1, 1, graded_spike=True), "graded_spike True"),
        (ALIF(1, 1, 1, 1, 1, 1, input_exponent=0), "input_exponent 0"),
        (
            AdaptiveCubaLIF(1, 1, 1, 1, 1),
            "the lava backend cannot run .* here; Loihi 1 joins 2 compartments for each, Loihi 2 "
            "needs microcode of their own",
        ),
        (GeneralSigmaDelta(1, highest=5), "an activation within"),
        (GeneralSigmaDelta(1, lowest=-5), "an activation within -5"),
        (Threshold(1), "33554432 may arrive in a step"),
        (ResonateFire(1, 1, 1, graded_spike=True), "graded_spike True"),
        (ResonateFire(1, 1, 1, input_exponent=-1), "input_exponent -1, and Lava's state_exp"),
    ],
)
def test_what_no_process_of_lava_does_is_refused(neuron, said):
    ones = np.ones((2, 4), np.int32)
    synapse = Dense(ones) if neuron.ports == 1 else ComplexDense(ones, ones)
    network = Network(
        (
            Population("input", (4,), Source()),
            Population("graded", (4,), GradedThreshold(1)),
            Population("out", (2,), neuron),
        ),
        (
            Projection("input", "graded", Dense(np.ones((4, 4), np.int32))),
            Projection("graded", "out", synapse),
        ),
    )
    with pytest.raises(UnsupportedError, match=f"population 'out': {said}"):
        check_supported(network, RunOptions(steps=4))


def test_neurons_of_two_currents_are_no_input():
    network = Network((Population("input", (2,), ResonateFire(1, 1, 1)),), ())
    with pytest.raises(UnsupportedError, match="take 2 currents and an input is one"):
        check_supported(network, RunOptions(steps=4))
