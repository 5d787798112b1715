"""Runs of neurons with noise: equal in distribution, or not, neuron by neuron."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from neurodeploy.comparison import compare_distributions
from neurodeploy.comparison.distribution import _corrected, _fisher
from neurodeploy.errors import InputError, RecordingError
from neurodeploy.network import Dense, Network, Population, Projection, Source, StochasticLIF
from neurodeploy.network.noise import reseeded

SIZE = 12


def network(threshold=150, shifted=()):
    rng = np.random.default_rng(3)
    thresholds = np.full(SIZE, threshold, np.int32)
    thresholds[list(shifted)] += 60
    neuron = StochasticLIF(1000, 600, thresholds, noise="logistic", amplitude=30)
    weight = rng.integers(5, 40, (SIZE, 8)).astype(np.int32)
    return Network(
        (Population("in", (8,), Source()), Population("n", (SIZE,), neuron)),
        (Projection("in", "n", Dense(weight)),),
    )


@pytest.fixture(scope="module")
def inputs():
    return (np.random.default_rng(4).random((2, 40, 8)) < 0.15).astype(np.uint8)


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    return end.value.code


def runs(net, inputs, count=40, first=0):
    return [nd.run(reseeded(net, first + seed), inputs) for seed in range(count)]


def test_fishers_test_is_the_sum_over_all_ways_to_share():
    """Every way to give the successes to the runs of both sides, counted one by one."""
    n, m = 5, 4
    for total in range(n + m + 1):
        ways = [sum(i < n for i in chosen) for chosen in itertools.combinations(range(9), total)]
        chances = {k: ways.count(k) / len(ways) for k in set(ways)}
        for x, own in chances.items():
            exact = sum(c for c in chances.values() if c <= own * (1 + 1e-12))
            assert _fisher(x, n, total - x, m) == pytest.approx(exact)


def test_corrections_are_as_defined():
    p = np.array([0.01, 0.04, 0.03, 0.2, 0.005])
    np.testing.assert_allclose(_corrected(p, "bonferroni"), np.minimum(5 * p, 1))
    np.testing.assert_allclose(_corrected(p, "holm"), [0.04, 0.09, 0.09, 0.2, 0.025])


def test_the_same_network_drawn_anew_is_the_same(inputs):
    found = compare_distributions(runs(network(), inputs), runs(network(), inputs, first=100))
    assert found.same
    assert found.runs == (40, 40)
    assert [row.population for row in found.rows] == ["in", "n"]
    assert (found.rows[0].corrected == 1).all()  # inputs are the same in every run
    assert found.rows[1].mean_a == pytest.approx(found.rows[1].mean_b, rel=0.05)
    assert "no neuron sends differently by more than chance (40 and 40 runs" in found.summary()


@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
def test_the_neurons_that_differ_are_named(inputs, correction):
    found = compare_distributions(
        runs(network(), inputs), runs(network(shifted=(2, 7)), inputs, first=100),
        correction=correction,
    )  # fmt: skip
    assert not found.same
    assert found.rows[1].differing == (2, 7)
    assert "2 of 20 neurons send differently" in found.summary()
    kept = found.as_dict()["populations"][1]
    assert kept["differing"] == [2, 7]
    assert (
        max(kept["p_corrected"][i] for i in (2, 7))
        < 0.05
        <= min(p for i, p in enumerate(kept["p_corrected"]) if i not in (2, 7))
    )


def test_equal_sides_are_called_different_no_more_often_than_the_level(inputs):
    """The corrected test over many draws of both sides from one distribution."""
    pool = [nd.run(reseeded(network(), seed), inputs[:1, :20]) for seed in range(160)]
    rng, wrong, tries = np.random.default_rng(0), 0, 60
    for _ in range(tries):
        order = rng.permutation(160)[:40]
        sides = [[pool[i] for i in half] for half in np.split(order, 2)]
        wrong += not compare_distributions(*sides, level=0.2).same
    assert wrong <= 0.2 * tries + 3 * math.sqrt(tries * 0.2 * 0.8)


def test_samples_of_one_recording_are_runs(inputs):
    """As of a board that draws anew for every sample; here by other seeds, put together."""
    listed, together = [], []
    for first, shifted in ((0, ()), (50, (3,))):
        net = network(shifted=shifted)
        side = [
            nd.run(reseeded(net, first + seed), inputs[:1], record=("spikes", "counts"))
            for seed in range(24)
        ]
        spikes = {n: np.concatenate([one[n].spikes for one in side]) for n in ("in", "n")}
        listed.append(side)
        together.append(nd.Recording.from_arrays(net, spikes))
    exact, found = compare_distributions(*listed), compare_distributions(*together)
    assert found.runs == exact.runs == (24, 24)
    assert found.rows[1].differing == exact.rows[1].differing == (3,)
    for one, other in zip(found.rows, exact.rows, strict=True):
        np.testing.assert_array_equal(one.corrected, other.corrected)


def test_too_few_runs_and_what_does_not_belong_together_are_refused(inputs):
    few = runs(network(), inputs, 4)
    with pytest.raises(InputError, match=r"4 and 4 runs; for 20 neurons .* give more runs"):
        compare_distributions(few, few)
    other = runs(network(), 1 - inputs, 12)
    with pytest.raises(RecordingError, match="runs of different inputs"):
        compare_distributions(runs(network(), inputs, 12), other)
    with pytest.raises(RecordingError, match="A: recordings of 1 and 2 samples"):
        compare_distributions([few[0], nd.run(network(), inputs[:1])], few)
    with pytest.raises(RecordingError, match="B: no recordings"):
        compare_distributions(few, [])
    with pytest.raises(InputError, match="one of holm, bonferroni"):
        compare_distributions(few, few, correction="none")
    net = network()
    renamed = replace(
        net,
        populations=(replace(net["in"], name="i"), replace(net["n"], name="m")),
        projections=(replace(net.projections[0], source="i", target="m"),),
    )
    with pytest.raises(RecordingError, match="no population of the same name and size"):
        compare_distributions(runs(net, inputs, 12), runs(renamed, inputs, 12))


def test_the_command_compares_folders_of_runs(inputs, tmp_path, capsys):
    sides = {"a": network(), "b": network(), "c": network(shifted=(5,))}
    for first, (name, net) in enumerate(sides.items()):
        (tmp_path / name).mkdir()
        for seed, one in enumerate(runs(net, inputs, 30, 100 * first)):
            one.save(tmp_path / name / f"{seed}.h5")
    folders = {name: str(tmp_path / name) for name in sides}
    assert command("compare", folders["a"], folders["b"], "--distribution") == 0
    assert "no neuron sends differently by more than chance" in capsys.readouterr().out
    assert command("compare", folders["a"], folders["c"], "--distribution", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["differing"] for row in found["populations"]] == [[], [5]]
    assert command("compare", folders["a"], folders["c"], "--distribution", "--local") == 2
    assert "--local: not with --distribution" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert command("compare", folders["a"], str(tmp_path / "empty"), "--distribution") == 2
    assert "holds no recordings" in capsys.readouterr().err
