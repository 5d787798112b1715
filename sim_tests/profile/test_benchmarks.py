"""NeuroBench's metrics against the `neurobench` package, and the N-DNS proxies."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.profiling.benchmarks import ndns_proxy, neurobench
from neurodeploy.profiling.elsewhere import elsewhere, published_networks

ROOT = Path(__file__).parents[2]
PEERS = Path(os.environ.get("NEURODEPLOY_PEERS", ROOT / ".venv-peers"))
PYTHON = PEERS / "neurobench" / "bin" / "python"
STEPS, THRESHOLD = 30, 301


@pytest.fixture(scope="module")
def case():
    """30-20-10 neurons that add up, a third of the weights zero; silent at the end."""
    rng = np.random.default_rng(2)
    spikes = (rng.random((STEPS, 30)) < 0.3).astype(np.int32)
    spikes[-2:] = 0  # so that nothing is still on its way when the run ends
    hidden = (2 * rng.integers(-20, 60, (20, 30))).astype(np.int32)
    output = (2 * rng.integers(-20, 60, (10, 20))).astype(np.int32)
    hidden[rng.random(hidden.shape) < 0.3] = 0
    output[rng.random(output.shape) < 0.3] = 0
    neuron = CubaLIF(4096, 0, THRESHOLD)
    network = Network(
        (
            Population("input", (30,), Source()),
            Population("hidden", (20,), neuron),
            Population("output", (10,), neuron),
        ),
        (
            Projection("input", "hidden", Dense(hidden)),
            Projection("hidden", "output", Dense(output)),
        ),
    )
    return network, spikes, nd.run(network, spikes, record=("counts", "v"))


def test_the_metrics_count_what_their_names_say(case):
    network, spikes, recording = case
    found = neurobench(network, recording)
    hidden, output = (p.synapse.weight for p in network.projections)
    assert found["Footprint"] == 4 * (600 + 200)
    assert neurobench(network, recording, bytes_per_weight=1)["Footprint"] == 800
    zeros = np.count_nonzero(hidden == 0) + np.count_nonzero(output == 0)
    assert found["ConnectionSparsity"] == pytest.approx(zeros / 800)
    acs = sum((hidden != 0) @ spikes.sum(axis=0))
    acs += sum((output != 0) @ recording["hidden"].counts[0])
    assert found["SynapticOperations"]["Effective_ACs"] == acs
    assert found["SynapticOperations"]["Effective_MACs"] == 0
    assert found["SynapticOperations"]["Dense"] == STEPS * 800
    sent = recording["hidden"].counts.sum() + recording["output"].counts.sum()
    assert found["ActivationSparsity"] == pytest.approx(1 - sent / (30 * STEPS))
    assert 0 < found["MembraneUpdates"] <= 30 * STEPS


def test_without_v_membrane_updates_are_unknown_not_guessed(case):
    network, spikes, _ = case
    found = neurobench(network, nd.run(network, spikes))
    assert np.isnan(found["MembraneUpdates"])


@pytest.mark.skipif(
    not PYTHON.exists(), reason="needs NeuroBench: benchmarks/make_peers neurobench"
)
def test_the_metrics_equal_those_of_the_neurobench_package(case, tmp_path):
    network, spikes, recording = case
    hidden, output = (p.synapse.weight.tolist() for p in network.projections)
    file = tmp_path / "case.json"
    file.write_text(
        json.dumps(
            {
                "spikes": spikes.tolist(),
                "hidden": hidden,
                "output": output,
                "threshold": THRESHOLD,
            }
        )
    )
    done = subprocess.run(
        [PYTHON, ROOT / "benchmarks/peers/neurobench_metrics.py", file],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    mine = neurobench(network, recording)
    print(theirs, mine)
    assert mine["SynapticOperations"] == pytest.approx(theirs["SynapticOperations"])
    assert mine["ActivationSparsity"] == pytest.approx(theirs["ActivationSparsity"])
    # Theirs is rounded to four digits.
    assert mine["ConnectionSparsity"] == pytest.approx(theirs["ConnectionSparsity"], abs=1e-4)
    assert mine["MembraneUpdates"] == theirs["MembraneUpdates"]
    assert 0 < mine["MembraneUpdates"] < 30 * STEPS
    # Theirs counts the constants of snnTorch's neurons (beta, threshold ...) as well.
    assert mine["Footprint"] == theirs["Footprint"] - theirs["buffers"]


def test_the_ndns_proxy_is_operations_per_second_of_signal(case):
    _, _, recording = case
    profile = nd.profile(recording, "loihi2")
    found = ndns_proxy(profile, step_seconds=0.008, latency_seconds=0.032)
    operations = profile.synops + 10 * 30 * STEPS
    assert found["power_proxy"] == pytest.approx(operations / (STEPS * 0.008))
    assert found["pdp_proxy"] == pytest.approx(found["power_proxy"] * 0.032)


def test_other_devices_are_priced_by_the_same_events(case):
    profile = nd.profile(case[2], "loihi2")
    found = {e.name: e for e in elsewhere(profile)}
    assert set(found) == {
        "loihi2", "cpu", "gpu", "arm", "orin", "a100", "spinnaker", "spinnaker2"
    }  # fmt: skip
    cpu = 8.6e-9 * (profile.synops + profile.neuron_updates)
    assert found["cpu"].dynamic_joules == pytest.approx(cpu)
    assert all(e.source for e in found.values())
    assert all(np.isnan(e.dense_joules) for e in found.values())
    orin = found["orin"]
    assert orin.low_joules < orin.dynamic_joules < orin.high_joules
    assert found["a100"].low_joules == pytest.approx(found["a100"].dynamic_joules)
    json.dumps([e.as_dict() for e in found.values()], allow_nan=False)


def test_the_chip_itself_comes_first_on_the_same_basis(case):
    profile = nd.profile(case[2], "loihi2")
    first, *others = elsewhere(profile)
    assert first.name == "loihi2"
    assert first.dynamic_joules == profile.dynamic_joules
    assert first.total_joules == profile.energy_joules
    assert first.low_joules == profile.band.low_dynamic_joules
    # What others take besides is not known, so no total stands beside the chip's.
    assert all(np.isnan(other.total_joules) for other in others)


def test_every_published_network_has_a_source_and_a_figure():
    rows = published_networks()
    for row in rows:
        assert "arXiv" in row.source or "secondary" in row.source
        assert (row.total_joules or row.dynamic_joules or row.low_joules) is not None
    devices = " ".join(row.device for row in rows)
    for device in ("Jetson Orin", "A100", "Cortex-M", "Xylo", "SpiNNaker 2", "Loihi 2"):
        assert device in devices


def test_devices_that_know_no_events_compute_every_synapse(case):
    network, _, recording = case
    found = {e.name: e for e in elsewhere(nd.profile(recording, "loihi2"), network)}
    arm = found["arm"]
    assert arm.dense_joules == pytest.approx(0.9e-9 * STEPS * (600 + 200 + 30))
    # KerasSpiking's own reading of these devices: a single pass, whatever the spikes.
    assert arm.one_pass_joules == pytest.approx(0.9e-9 * (600 + 200 + 30))
    assert arm.dynamic_joules < arm.dense_joules
    assert np.isnan(found["spinnaker"].dense_joules)
