"""Presets against the frameworks: what each gave when it ran, and, slowly, what it gives now."""

from __future__ import annotations

import json

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.formats.nir import PRESETS

nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")

from ..nir_frameworks import trained  # noqa: E402
from ..nir_frameworks.graphs import FLAVOURS, graph_of, spikes_for  # noqa: E402
from ..nir_frameworks.run import (  # noqa: E402
    ENVIRONMENTS,
    HERE,
    Job,
    agreement,
    ask,
    interpreter,
    ours,
    python_of,
)

TRUTH = HERE / "truth"


def test_every_preset_is_checked_against_its_framework():
    assert {*ENVIRONMENTS, *trained.ENVIRONMENTS, "lava"} == set(PRESETS)
    exported = {f"trained-{framework}" for framework in trained.ENVIRONMENTS}
    assert {path.stem for path in TRUTH.glob("*.npz")} == {*ENVIRONMENTS, *exported}


@pytest.mark.parametrize("framework", trained.ENVIRONMENTS)
def test_networks_that_frameworks_exported_give_the_spikes_of_their_forward_pass(
    framework, tmp_path
):
    """Recorded by `python -m sim_tests.nir_frameworks.trained`."""
    with np.load(trained.truth_of(framework)) as truth:
        cases = json.loads(str(truth["cases"]))
        assert cases
        for case in cases:
            path = tmp_path / "exported.nir"
            path.write_bytes(truth[f"{case['name']}.nir"].tobytes())
            theirs = truth[f"{case['name']}.npy"]
            assert theirs.any()
            mine = trained.ours(path, case, framework)
            assert np.count_nonzero(mine != theirs) == 0, case["name"]


def test_the_table_holds_every_snntorch_neuron_with_every_reset():
    """24 of them with a decay for each neuron and 5 for all, and none differs."""
    cases = json.loads(trained.RESULTS.read_text())["snntorch"]
    kinds = {(case["neuron"], case["reset"], case["delay"]) for case in cases}
    assert len(kinds) == 4 * 3 * 2
    assert len(cases) == 6 * len(kinds)
    assert sum(case["differing"] for case in cases) == 0


@pytest.mark.slow
@pytest.mark.parametrize("framework", trained.ENVIRONMENTS)
def test_frameworks_still_export_networks_that_give_their_spikes(framework, tmp_path):
    environment = trained.ENVIRONMENTS[framework]
    if not python_of(environment).exists():
        pytest.skip(f"needs benchmarks/make_peers {environment}")
    for case in trained.export(framework, tmp_path):
        found = trained.held(case, tmp_path, framework)
        if "refused" not in found and not found.get("lost"):
            assert found["differing"] == 0, case["name"]


@pytest.mark.parametrize("framework", ENVIRONMENTS)
def test_presets_give_the_spikes_that_the_frameworks_gave(framework, tmp_path):
    """Recorded by `python -m sim_tests.nir_frameworks`; equal but for float rounding."""
    flavour = FLAVOURS[framework]
    with np.load(TRUTH / f"{framework}.npz") as truth:
        assert {"Affine", "CubaLIF"} & set(truth.files)
        for node in truth.files:
            graph, shape = graph_of(node, flavour)
            path = tmp_path / f"{node}.nir"
            nir.write(path, graph)
            mine, _ = ours(Job(path, spikes_for(shape), flavour.dt), framework)
            differing = np.count_nonzero(mine != truth[node].reshape(mine.shape))
            assert truth[node].any()
            assert differing <= 1e-3 * mine.size, node


def test_presets_are_told_apart_by_their_spikes(tmp_path):
    """A test that could not tell a preset from the next would prove nothing."""
    graph, shape = graph_of("CubaLIF", FLAVOURS["lava"])
    nir.write(tmp_path / "a.nir", graph)
    job = Job(tmp_path / "a.nir", spikes_for(shape), 1e-4)
    outputs = [
        ours(job, name)[0].tobytes() for name in ("lava", "snntorch", "sinabs-import", "spyx")
    ]
    assert len(set(outputs)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("framework", ENVIRONMENTS)
def test_frameworks_still_give_these_spikes(framework, tmp_path):
    if not interpreter(framework).exists():
        pytest.skip(f"needs benchmarks/make_peers {ENVIRONMENTS[framework]}")
    flavour = FLAVOURS[framework]
    with np.load(TRUTH / f"{framework}.npz") as truth:
        nodes, jobs = truth.files, []
    for node in nodes:
        graph, shape = graph_of(node, flavour)
        path = tmp_path / f"{node}.nir"
        nir.write(path, graph)
        jobs.append(Job(path, spikes_for(shape), flavour.dt))
    for node, job, answer in zip(nodes, jobs, ask(framework, jobs), strict=True):
        assert not answer.refused, f"{node}: {answer.refused}"
        assert agreement(answer, *ours(job, framework)).fraction >= 0.999, node


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["norse-import", "spikingjelly"])
def test_an_integer_network_runs_in_frameworks(framework, tmp_path):
    """Decays of the chip without its rounding of states: nearly the same spikes."""
    if not interpreter(framework).exists():
        pytest.skip(f"needs benchmarks/make_peers {ENVIRONMENTS[framework]}")
    net = nd.load(HERE.parents[1] / "netx_exports" / "digits.net")
    nd.save(net, tmp_path / "digits.nir", dt=1e-4)
    with np.load(HERE.parents[1] / "netx_exports" / "digits_test.npz") as data:
        inputs = data["inputs"][:50]
    (answer,) = ask(framework, [Job(tmp_path / "digits.nir", inputs, 1e-4)])
    assert not answer.refused
    hops = net.hops(net.output.name)
    steps = inputs.shape[1]
    whole = nd.run(net, inputs, steps=steps + hops, record=("spikes",)).output[:, hops:]
    differing = np.count_nonzero(answer.output.reshape(whole.shape) != whole)
    assert whole.sum() > 100
    assert differing <= 0.002 * whole.size
