"""Local differences, the sensitivity floor, JUnit and the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from neurodeploy.comparison import FloorOptions
from neurodeploy.comparison.junit import write_junit
from neurodeploy.comparison.sensitivity import perturb
from neurodeploy.errors import InputError
from neurodeploy.network import (
    Complex,
    CubaLIF,
    Dense,
    Network,
    OneToOne,
    Population,
    Projection,
    ResonateFireIzhikevich,
    Source,
)
from neurodeploy.recording import Recording
from sim_tests.compare.test_compare import RECORD, network_of
from sim_tests.conftest import ROOT

DIGITS = ROOT / "netx_exports" / "digits.net"


@pytest.fixture(scope="module")
def inputs():
    return (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)


@pytest.fixture(scope="module")
def pair(inputs):
    return tuple(nd.run(network_of(n), inputs, record=RECORD) for n in (0, 20))


def test_local_differences_clear_the_layers_behind_a_bad_one(pair, inputs):
    a, b = pair
    result = nd.compare(
        a, b, anyway=True, net=network_of(), net_b=network_of(20), inputs=inputs, local=True
    )
    hidden, output = result.local
    assert hidden.local.differing == hidden.cumulative.differing > 0
    assert output.cumulative.differing > 0
    assert output.local.differing == 0
    assert output.local.v_sqnr_db is None  # nothing differs


def test_local_differences_line_other_clocks_up(pair, inputs):
    """A side without a step per hop (SLAYER, a float simulator) feeds the chip's populations."""
    a, b = pair
    header = replace(a.header, populations=tuple(replace(p, hops=0) for p in a.header.populations))
    arrays = {name: np.array(a.arrays[name]) for name in a.arrays}
    for name, hops in (("hidden", 1), ("output", 2)):
        key = f"populations/{name}"
        arrays[f"{key}/event_counts"] = np.roll(arrays[f"{key}/event_counts"], -hops, axis=1)
        for state in "uv":
            arrays[f"{key}/{state}"] = np.roll(arrays[f"{key}/{state}"], -hops, axis=1)
    flat = Recording(header, arrays)
    result = nd.compare(flat, b, anyway=True, net=network_of(), inputs=inputs, local=True)
    assert [row.local.differing for row in result.local] == [0, 0]


def test_the_floor_tells_a_small_change_from_a_large_one(inputs):
    network = network_of()
    a = nd.run(network, inputs, record=RECORD)
    floors = []
    for change in (2, 200):
        b = nd.run(network_of(change), inputs, record=RECORD)
        options = FloorOptions(repeats=3)
        result = nd.compare(a, b, anyway=True, net=network, inputs=inputs, floor=options)
        floors.append({(r.population, r.metric): r for r in result.floor.rows})
        assert 0 < result.floor.changed < 1
    key = ("hidden", "v rms error")
    assert floors[0][key].verdict == "below"
    assert floors[1][key].verdict == "above"
    assert floors[0][key].low == floors[1][key].low > 0  # the floor is the network's own


def test_both_parts_of_complex_synapses_are_perturbed():
    parts = [OneToOne(np.full(6, 4 * weight, np.int32)) for weight in (9, -7)]
    network = Network(
        (
            Population("input", (6,), Source()),
            Population("out", (6,), ResonateFireIzhikevich(1500, 3600, 20)),
        ),
        (Projection("input", "out", Complex(*parts)),),
    )
    perturbed, changed = perturb(network, 0.5, np.random.default_rng(1))
    assert changed > 0.5
    found = perturbed.projections[0].synapse
    assert all((a.weight != b.weight).any() for a, b in zip(found.parts, parts, strict=True))


def test_perturbed_weights_keep_zeros_and_their_mean():
    network = network_of()
    weight = network.projections[0].synapse.weight
    drawn = []
    for seed in range(200):
        perturbed, changed = perturb(network, None, np.random.default_rng(seed))
        drawn.append(perturbed.projections[0].synapse.weight - weight)
        assert 0.2 < changed < 0.8
    drawn = np.array(drawn)
    assert np.abs(drawn).max() == 1  # steps of 2: half a step either way
    assert not drawn[:, weight == 0].any()
    assert abs(drawn.mean()) < 0.01


def test_options_that_lack_what_they_need_say_so(pair):
    with pytest.raises(InputError, match="local: needs the network"):
        nd.compare(*pair, anyway=True, local=True)
    with pytest.raises(InputError, match="floor: needs the inputs"):
        nd.compare(*pair, anyway=True, net=network_of(), floor=FloorOptions())
    with pytest.raises(InputError, match="repeats"):
        FloorOptions(repeats=0)


def test_counts_alone_are_diagnosed_from_the_inputs(pair, inputs):
    """Spikes of the output only: its sources are run again."""
    bare = [nd.run(network_of(n), inputs) for n in (0, 20)]
    result = nd.compare(*bare, anyway=True, net=network_of())
    assert "not recorded" in result.diagnosis.words
    result = nd.compare(*bare, anyway=True, net=network_of(), inputs=inputs)
    assert result.first_divergence.population == "output"
    assert result.diagnosis.deviating


def test_either_side_may_be_the_one_that_deviates(pair, inputs):
    a, b = pair
    for first, second, blamed in ((a, b, "B"), (b, a, "A")):
        result = nd.compare(first, second, anyway=True, net=network_of(), names=("A", "B"))
        assert result.diagnosis.deviating == blamed
        assert result.diagnosis.evidence.arrived > 0


def test_two_networks_are_told_apart_in_words(pair):
    result = nd.compare(*pair, anyway=True, net=network_of(), net_b=network_of(20))
    assert any("1 of 96 differ, by up to 20" in line for line in result.diagnosis.differences)


# The command line


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    network = nd.load(DIGITS)
    data = np.load(ROOT / "netx_exports" / "digits_test.npz")
    np.savez(folder / "in.npz", inputs=data["inputs"][:8], labels=data["labels"][:8])
    synapse = network.projections[0].synapse
    weight = synapse.weight.copy()
    weight[5, 30] ^= 8
    projections = (
        replace(network.projections[0], synapse=replace(synapse, weight=weight)),
        *network.projections[1:],
    )
    for name, net in (("a", network), ("b", replace(network, projections=projections))):
        nd.run(net, data["inputs"][:8], record=RECORD, out=folder / f"{name}.h5")
    return folder


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in ("compare", *arguments)])
    return stop.value.code


def test_exit_statuses(files, capsys):
    a, b = files / "a.h5", files / "b.h5"
    assert run(a, a) == 0
    assert run(a, b, "--anyway") == 1
    assert run(a, b, "--anyway", "--allow-spike-difference", "0.01") == 0
    assert run(a, b, "--anyway", "--allow-state-error", "1") == 1
    assert run(a, b) == 2
    assert "different networks" in capsys.readouterr().err
    assert run(a, b, "--anyway", "--local") == 2
    assert run(a, b, "--anyway", "--labels", files / "none.npy") == 2
    assert "none.npy" in capsys.readouterr().err


def test_json_holds_to_its_schema(files, capsys):
    more = ("--net", DIGITS, "--input", files / "in.npz", "--local", "--floor", "--repeats", "1")
    assert run(files / "a.h5", files / "b.h5", "--anyway", "--json", *more) == 1
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (result["schema"], result["schema_version"]) == ("neurodeploy.comparison", 1)
    documented = (ROOT / "docs" / "compare.md").read_text()
    for key in (*result, *result["populations"][0], *result["diagnosis"], *result["output"]):
        assert f"`{key}`" in documented or key in ("schema_version",), key
    assert result["diagnosis"]["findings"][0]["pattern"] == "flipped-weight-bit"
    assert result["output"]["labelled"] == 8


def test_the_terminal_view_fits_100_columns(files, capsys):
    more = ("--net", DIGITS, "--input", files / "in.npz", "--local", "--floor", "--repeats", "1")
    run(files / "a.h5", files / "b.h5", "--anyway", *more)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines[:-1]) <= 100  # the summary is one line, unwrapped
    assert "bit 3 flipped" in " ".join(line.strip() for line in lines)


def test_junit_has_a_case_per_population(files, tmp_path):
    path = tmp_path / "out.xml"
    assert run(files / "a.h5", files / "b.h5", "--anyway", "--junit", path) == 1
    suite = ElementTree.parse(path).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    cases = {case.get("name"): case.find("failure") is not None for case in suite}
    assert cases == {"input": False, "0_dense": True, "1_dense": False}


def test_junit_is_valid_for_any_name(tmp_path):
    names = ("<script>&amp;]]>", "\u00e9 \u4e2d \U0001f600", "a'\"b")
    neuron, weight = CubaLIF(900, 300, 50), Dense(np.full((3, 3), 40, np.int32))
    made = []
    for threshold in (50, 5000):
        populations = [Population("input", (3,), Source())]
        populations += [Population(n, (3,), replace(neuron, threshold=threshold)) for n in names]
        pairs = pairwise(populations)
        projections = [Projection(a.name, b.name, weight) for a, b in pairs]
        network = nd.Network(tuple(populations), tuple(projections))
        made.append(nd.run(network, np.ones((2, 20, 3), np.int32)))
    path = tmp_path / "out.xml"
    write_junit(path, nd.compare(*made, anyway=True))
    suite = ElementTree.parse(path).getroot().find("testsuite")
    assert [case.get("name") for case in suite] == ["input", *names]
    assert int(suite.get("failures")) > 0


@pytest.mark.parametrize("kind", ["short", "newer", "other"])
def test_broken_recordings_give_one_clear_line(kind, files, tmp_path, capsys):
    import h5py

    path = tmp_path / f"{kind}.h5"
    whole = (files / "a.h5").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if kind == "short" else whole)
    if kind != "short":
        with h5py.File(path, "r+") as file:
            file.attrs["schema_version" if kind == "newer" else "schema"] = 99
    assert run(path, files / "a.h5") == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert str(path) in error
    expected = {"short": "HDF5 file is damaged", "newer": "schema 99", "other": "not a recording"}
    assert expected[kind] in error
