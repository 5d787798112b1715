"""The engine against Lava's CPU simulator, on random networks: spikes, u and v, whole arrays.

`NEURODEPLOY_NETWORKS=1000 NEURODEPLOY_SEED=7 pytest sim_tests/engine/test_against_lava.py`
draws another thousand. A failure names its seed; `Draw(seed)` makes that network again.
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
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import CubaLIF, Dense, SigmaDelta
from neurodeploy.recording.run_options import RunOptions, to_record
from neurodeploy.remote.job import write_job
from neurodeploy.targets.lava_rules import check_supported
from sim_tests.random_networks import Draw

NETWORKS = int(os.environ.get("NEURODEPLOY_NETWORKS", "20"))
FIRST_SEED = int(os.environ.get("NEURODEPLOY_SEED", "0")) * 100_000
STEPS = 24
RECORD = ("spikes", "states")
ROOT = Path(__file__).parents[2]


def run_batch(kind, jobs):
    done = subprocess.run(
        [sys.executable, "-m", "sim_tests.lava_batch", kind, *map(str, jobs)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ran = set(done.stdout.split())
    missing = [job.name for job in jobs if str(job) not in ran]
    assert not missing, f"seed {missing[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}"


def make_job(folder, network, values):
    folder.mkdir()
    record = to_record(network, RECORD)
    options = RunOptions(steps=values.shape[1], record=record)
    write_job(folder, "lava", network, values, options)
    return folder


def lava_can_run(network):
    """Lava's Conv has no delays; everything else that we draw it can run."""
    try:
        check_supported(network, RunOptions(steps=STEPS))
    except UnsupportedError as error:
        if "Lava's Conv has none" not in str(error):
            raise
        return False
    return True


def draws(accept, count, **options):
    seed = FIRST_SEED
    found = []
    while len(found) < count:
        draw = Draw(seed, **options)
        if accept(draw.network):
            found.append(draw)
        seed += 1
    return found


@pytest.mark.usefixtures("lava")
@pytest.mark.parametrize("beyond_netx", [False, True])
def test_random_networks_equal_lava(tmp_path, beyond_netx):
    """Beyond NetX: ternary and graded neurons, sparse synapses, a delay for every synapse.

    Lava has no fixed-point process model of refractory periods, soft reset, one-to-one
    synapses, transposed convolutions, pools and unpools. All other neurons that it has run in
    `backends/test_lava_neurons`; its convolution in time as a single population in
    `test_synapses_against_lava`.
    """
    drawn = draws(lava_can_run, NETWORKS, beyond_netx=beyond_netx)
    values = {draw.seed: draw.inputs(steps=STEPS) for draw in drawn}
    jobs = [make_job(tmp_path / str(d.seed), d.network, values[d.seed]) for d in drawn]
    run_batch("lava", jobs)
    spikes, kinds = 0, Counter()
    for draw, job in zip(drawn, jobs, strict=True):
        theirs = nd.Recording.load(job / "recording.h5")
        ours = nd.run(draw.network, values[draw.seed], record=RECORD, apply_transform=False)
        for population in draw.network.populations:
            for variable in ("spikes", *population.neuron.states):
                np.testing.assert_array_equal(
                    ours[population.name][variable],
                    theirs[population.name][variable],
                    f"seed {draw.seed}: {population.name}, {variable}",
                )
            sent = int(ours[population.name].counts.sum())
            spikes += sent
            kinds[population.neuron.kind] += sent > 0
        for projection in draw.network.projections:
            kinds[projection.synapse.kind] += bool(ours[projection.source].counts.any())
    assert spikes > 100 * len(drawn)  # not an agreement of silences
    if beyond_netx:
        more = ("ternary-lif", "graded-threshold", "sparse", "delayed-dense")
        assert min(kinds[kind] for kind in more) > NETWORKS // 20, kinds


def netx_is_right(network):
    """Where lava-dl's importer keeps the meaning, by lava.md section 2 and our audit."""
    for population in network.populations:
        delayed = population.axon_delay is not None
        neuron = population.neuron
        biased = isinstance(neuron, (CubaLIF, SigmaDelta)) and np.any(neuron.bias != 0)
        if (delayed and biased) or neuron.kind == "average":
            return False
        if delayed and network.into(population.name)[0].source == population.name:
            return False
    for projection in network.projections:
        weight = projection.synapse.weight
        if not weight.any():  # all zero: OverflowError in netx
            return False
        if isinstance(projection.synapse, Dense) and (weight.max() <= 0 or weight.min() == 0):
            return weight.max() > 0  # all-inhibitory: lossy in netx
    loops = [p.target for p in network.projections if p.source == p.target]
    mixed = [
        np.concatenate([p.synapse.weight.ravel() for p in network.into(name)]) for name in loops
    ]
    # netx scales both matrices of a recurrent layer together; Lava reads their signs apart.
    return all(w.min() < 0 < w.max() for w in mixed) and all(
        p.synapse.weight.min() < 0 < p.synapse.weight.max()
        for name in loops
        for p in network.into(name)
    )


@pytest.mark.usefixtures("lava", "netx_truth")
def test_random_networks_loaded_by_netx_equal_the_engine(tmp_path):
    """A file written by us, read by lava-dl and run the way its users do, gives our output."""
    drawn = draws(netx_is_right, max(10, NETWORKS // 3))
    values = {draw.seed: draw.inputs(steps=STEPS) for draw in drawn}
    jobs = [make_job(tmp_path / str(d.seed), d.network, values[d.seed]) for d in drawn]
    run_batch("netx", jobs)
    for draw, job in zip(drawn, jobs, strict=True):
        ours = nd.run(draw.network, values[draw.seed], apply_transform=False)
        theirs = np.load(job / "output.npy")
        np.testing.assert_array_equal(
            ours.output[0].reshape(STEPS, -1), theirs, f"seed {draw.seed}"
        )


@pytest.mark.usefixtures("lava")
def test_mnist_net_equals_lava(netx_truth, tmp_path):
    """Its last layer has no neuron: an integrator that never spikes, read from v."""
    network = nd.load(netx_truth / "mnist.net")
    images = np.random.default_rng(0).random((2, 1, 784)) * (np.arange(784) % 3 == 0)
    inputs = np.repeat(images, 24, axis=1)
    ours = nd.run(network, inputs, record=RECORD)
    theirs = nd.run(network, inputs, record=RECORD, backend="lava")
    result = nd.compare(ours, theirs)
    assert result.equal, result.summary()
    for name in ours.names:
        for variable in ("spikes", "u", "v"):
            np.testing.assert_array_equal(
                getattr(ours[name], variable), getattr(theirs[name], variable)
            )
    assert ours["1_dense"].counts.sum() > 100
    assert ours["3_dense"].v.any()
    assert not ours.output.any()
