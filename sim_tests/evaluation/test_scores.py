"""Scores against loops that share nothing with what counts them."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, RecordingError
from neurodeploy.evaluation.tallies import Fit, Spread, count_votes
from neurodeploy.recording.decisions import RULES, Readout, readouts, settled

from .data import CLASSES, samples

STEPS = 12


@pytest.fixture(scope="module")
def recording(network):
    return nd.run(network, samples(150)[0], record=("counts", "spikes", "v"))


def score_of(rule, spikes, v, stop, steps):
    """One neuron's score if the run ended before step `stop`; spikes and v from the window on."""
    sent = np.flatnonzero(spikes[:stop])
    return {
        "messages": lambda: spikes[:stop].sum(),
        "v": lambda: v[:stop].sum(),
        "v-max": lambda: v[:stop].max(),
        "v-last": lambda: v[stop - 1],
        "first-spike": lambda: -sent[0] if len(sent) else -steps,
    }[rule]()


@pytest.mark.parametrize("window", [None, (2, 9), (3, 4)])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_and_when_its_decision_stays(recording, rule, window):
    output = recording["output"]
    first, last = window or (0, STEPS)
    decisions, stays = [], []
    for spikes, v in zip(output.spikes, output.v.astype(np.int64), strict=True):
        course = [
            int(
                np.argmax(
                    [
                        score_of(rule, spikes[first:last, n], v[first:last, n], stop, STEPS)
                        for n in range(CLASSES)
                    ]
                )
            )
            for stop in range(1, last - first + 1)
        ]
        decisions.append(course[-1])
        step = len(course) - 1
        while step and course[step - 1] == course[-1]:
            step -= 1
        stays.append(first + step)
    np.testing.assert_array_equal(recording.decisions(rule, window), decisions)
    np.testing.assert_array_equal(settled(output, rule, 0, 150, window), stays)
    assert len(set(decisions)) > 1


def test_votes_by_hand(recording):
    labels = samples(150)[1]
    votes = count_votes(recording["output"], Readout("messages"), 150, labels)
    scores = recording["output"].counts
    confusion = np.zeros((CLASSES, CLASSES), int)
    ranks = np.zeros(CLASSES, int)
    tied = 0
    for row, label in zip(scores, labels, strict=True):
        order = sorted(range(CLASSES), key=lambda n: (-row[n], n))
        confusion[label, order[0]] += 1
        ranks[order.index(label)] += 1
        tied += row[order[0]] == row[order[1]]
    np.testing.assert_array_equal(votes.confusion, confusion)
    np.testing.assert_array_equal(votes.ranks, ranks)
    assert votes.tied == tied > 0
    assert votes.decided.sum() == votes.settled.sum() == 150


def test_of_equals_the_lowest_decides_and_stands_first(recording):
    scores = readouts(recording["output"], "messages", 0, 150)
    tied = (scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1
    np.testing.assert_array_equal(recording.decisions()[tied], scores[tied].argmax(axis=1))


def test_spreads_add_up_exactly():
    values = np.random.default_rng(0).integers(0, 1 << 40, 1000)
    whole, parts = Spread.of(values), Spread.of(values[:1]) + Spread.of(values[1:])
    assert whole == parts
    assert whole.mean == pytest.approx(values.mean())
    assert whole.deviation == pytest.approx(values.std())
    assert (whole.least, whole.most) == (values.min(), values.max())


def test_fits_add_up_to_what_numpy_finds():
    rng = np.random.default_rng(1)
    wanted = 1e6 + rng.normal(size=(50, 20, 2))  # far from 0, where sums of squares cancel
    came = wanted + rng.normal(size=wanted.shape) * (0.3, 0.6)
    fit = (
        Fit.of(wanted[:7], came[:7]) + Fit.of(wanted[7:8], came[7:8]) + Fit.of(wanted[8:], came[8:])
    )
    w, c = wanted.reshape(-1, 2), came.reshape(-1, 2)
    r2 = [1 - ((w - c) ** 2).sum(0)[i] / ((w - w.mean(0)) ** 2).sum(0)[i] for i in (0, 1)]
    assert fit.r2 == pytest.approx(np.mean(r2), rel=1e-9)
    assert fit.rmse == pytest.approx(np.sqrt(((w - c) ** 2).mean()), rel=1e-12)
    correlation = np.mean([np.corrcoef(w[:, i], c[:, i])[0, 1] for i in (0, 1)])
    assert fit.correlation == pytest.approx(correlation, rel=1e-9)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"by": "votes"}, "give one of messages, v, v-max"),
        ({"window": (3, 3)}, "0 <= FIRST < STOP"),
        ({"window": (3, 99)}, "12 steps"),
    ],
)
def test_a_rule_that_does_not_exist(recording, how, words):
    with pytest.raises(InputError, match=words):
        recording.decisions(**how)


def test_v_that_was_not_recorded(network):
    recording = nd.run(network, samples(3)[0])
    with pytest.raises(RecordingError, match=r"by v-max need v.*run again with record"):
        recording.decisions(by="v-max")
