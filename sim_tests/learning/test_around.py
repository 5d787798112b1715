"""What surrounds a network that learns: shipped rules, targets, cores, energy, the shell."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import neurodeploy as nd
from neurodeploy.chip import load_chip
from neurodeploy.chip.memory import synapse_bits
from neurodeploy.cli.app import app
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    LearningRule,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from neurodeploy.network import learning as rules
from neurodeploy.targets.look_ahead import look_ahead
from sim_tests.learning.against import learned_by_engine
from sim_tests.learning.test_engine import small

SHIPPED = (
    rules.stdp,
    rules.oja,
    rules.reward_modulated_stdp,
    rules.delta_rule,
    rules.eprop,
    rules.eprop_without_tags,
    rules.etlp,
    rules.imprint,
)


def three_factor(rule, size=3, sources=4, **neuron):
    target = ModulatedLIF(2048, 256, 50, **neuron)
    rng = np.random.default_rng(0)
    learns = np.hstack([rng.integers(20, 60, (size, sources)), np.zeros((size, size), int)])
    teaches = np.hstack([np.zeros((size, sources), int), 40 * np.eye(size, dtype=int)])
    return Network(
        (Population("in", (sources + size,), Source()), Population("out", (size,), target)),
        (
            Projection("in", "out", Dense(learns), rule=rule),
            Projection("in", "out", Dense(teaches), into="third-factor"),
        ),
    )


@pytest.mark.parametrize("make", SHIPPED, ids=lambda make: make.__name__)
def test_shipped_rules_learn_and_name_their_source(make):
    rule = make()
    assert "Source:" in make.__doc__
    rng = np.random.default_rng(0)
    inputs = (rng.random((120, 7)) < 0.3).astype(np.int32)
    if rule.factors == "three":
        network = three_factor(
            rule, y1_size=60, y1_keep=100, signal_keep=96, message_cost=60, y1_is="trace"
        )
        if rule.payload == "overwrite":
            inputs *= 100
    else:
        network, inputs = small(rule, samples=1, steps=120)
        inputs = inputs[0]
    found = learned_by_engine(network, inputs)
    assert (np.diff(found["w"], axis=0) != 0).any()


def test_imprinting_writes_a_payload_into_the_weights():
    sources, rng = 30, np.random.default_rng(0)
    pattern = rng.integers(0, 255, sources)
    network = Network(
        (
            Population("in", (sources + 2,), Source()),
            Population("out", (2,), ModulatedLIF(4096, 0, 1 << 12)),
        ),
        (
            Projection("in", "out", Dense(np.zeros((2, sources + 2), int)), rule=rules.imprint()),
            Projection(
                "in", "out",
                Dense(np.hstack([np.zeros((2, sources), int), 127 * np.eye(2, dtype=int)])),
                into="third-factor",
            ),
            Projection(
                "in", "out",
                Dense(np.hstack([np.zeros((2, sources), int), 8192 * np.eye(2, dtype=int)])),
            ),
        ),
    )  # fmt: skip
    inputs = np.zeros((4, sources + 2), np.int32)
    inputs[0, :sources], inputs[0, sources] = pattern, 1
    weight = nd.run(network, inputs).learned().projections[0].synapse.weight
    assert np.abs(weight[0, :sources] - pattern).max() <= 3
    assert not weight[1].any()


def test_target_loihi2_takes_two_factors_and_says_what_three_need():
    network, _ = small()
    entries = look_ahead(network, "loihi2").entries
    assert not [e for e in entries if e.rating is Rating.UNSUPPORTED]
    assert any("same in distribution alone" in e.reason for e in entries)
    refused = {
        e.element: e.reason
        for e in look_ahead(three_factor(rules.delta_rule()), "loihi2").entries
        if e.rating is Rating.UNSUPPORTED
    }
    assert "neuron program" in refused["out"]
    assert "program writes y1, y2 and y3" in refused["in->out"]


def test_the_chip_backend_refuses_to_learn():
    network, inputs = small()
    with pytest.raises(UnsupportedError, match="learning run on no chip yet"):
        nd.run(network, inputs, backend="loihi2")


def test_synapses_that_learn_are_wider_on_a_core():
    chip = load_chip("loihi2")
    synapse = Dense(np.ones((4, 6), int))
    plain, weights, tags = (
        synapse_bits(synapse, chip, rule)[0]
        for rule in (None, LearningRule("dw = x0"), LearningRule("dw = x0; dt = y0"))
    )
    assert (weights - plain, tags - weights) == (7, 9)  # 1 bit became 8, and a tag has 9
    rng = np.random.default_rng(0)
    ends = (
        Population("in", (900,), Source()),
        Population("out", (300,), CubaLIF(1, 1, 1)),
    )
    weight = rng.integers(0, 2, (300, 900))
    small_one = Network(ends, (Projection("in", "out", Dense(weight)),))
    learns = Network(ends, (Projection("in", "out", Dense(weight), rule=rules.stdp()),))
    assert nd.fit(learns, "loihi2").cores_used > nd.fit(small_one, "loihi2").cores_used


def test_weight_and_trace_updates_are_counted_and_priced():
    weight = np.ones((5, 4), int)
    inputs = np.zeros((1, 12, 4), np.int32)
    inputs[0, 0, 0] = inputs[0, 1, 1] = inputs[0, 6, 2] = 1
    ends = (Population("in", (4,), Source()), Population("out", (5,), CubaLIF(4096, 4096, 1000)))

    def counted(text, epoch=2):
        rule = LearningRule(text, x1_impulse=10, x1_tau=5, epoch=epoch)
        recording = nd.run(
            Network(ends, (Projection("in", "out", Dense(weight), rule=rule),)), inputs
        )
        found = (f"projections/in->out/{what}_updates" for what in ("weight", "trace"))
        return recording, tuple(int(recording.arrays[key][0]) for key in found)

    assert counted("dw = 2^-7*x0*x1")[1] == (3 * 5, 6 * 4)  # three sources spoke, six epochs
    assert counted("dw = 2^-7*y0*x1")[1] == (0, 6 * 4)
    assert counted("dw = 2^-7*u0*x1*y1")[1] == (6 * 20, 6 * 9)
    assert counted("dw = 2^-7*u1*x1")[1] == (3 * 20, 6 * 4)
    recording, (updates, traces) = counted("dw = 2^-7*x0*x1")
    profile = nd.profile(recording, "loihi1")
    (part,) = [p for p in profile.parts if p.kind == "weight update"]
    assert part.number == updates
    assert part.joules == pytest.approx(updates * 120e-12)
    assert any(f"{traces} trace updates" in note and "12.87" in note for note in profile.notes)
    placed = nd.profile(recording, placement=nd.fit(network_of(recording), "loihi2"))
    assert [p.number for p in placed.parts if p.kind == "weight update"] == [updates]


def network_of(recording):
    from neurodeploy.recording.learning import network_of as read

    return read(recording.arrays, recording.header.network)


def test_synapses_that_begin_at_zero_are_read_all_the_same():
    """Their weights are 0 in the network and soon not on the chip: each message reads them all."""
    blank = Network(
        (Population("a", (4,), Source()), Population("b", (3,), CubaLIF(4096, 0, 100))),
        (Projection("a", "b", Dense(np.zeros((3, 4), np.int32)), rule=rules.stdp()),),
    )
    inputs = np.ones((1, 5, 4), np.int32)
    assert nd.profile(nd.run(blank, inputs)).synops == 5 * 4 * 3
    still = replace(blank, projections=(replace(blank.projections[0], rule=None),))
    assert nd.profile(nd.run(still, inputs)).synops == 0


def test_the_shell_runs_learns_and_writes_what_was_learned(tmp_path):
    network, inputs = small()
    nd.save(network, tmp_path / "a.net")
    np.save(tmp_path / "x.npy", inputs)
    done = CliRunner().invoke(
        app,
        [
            "run", str(tmp_path / "a.net"), "--input", str(tmp_path / "x.npy"),
            "-o", str(tmp_path / "a.h5"), "--record", "counts,weights", "--learn-across-samples",
            "--learned", str(tmp_path / "b.net"), "--json",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["samples"] == 3
    recording = nd.Recording.load(tmp_path / "a.h5")
    assert recording.header.learn_across_samples
    assert nd.load(tmp_path / "b.net") == recording.learned()


def test_rewrites_leave_what_learns_alone():
    from neurodeploy.network import GeneralCubaLIF
    from neurodeploy.targets.rewrite.for_target import rewritten_for

    rng = np.random.default_rng(0)
    ends = (
        Population("in", (4,), Source()),
        Population("hid", (3,), GeneralCubaLIF(2000, 300, 40, input_exponent=7)),
        Population("out", (2,), GeneralCubaLIF(2000, 300, 40, input_exponent=7)),
    )
    projections = (
        Projection("in", "hid", Dense(rng.integers(1, 9, (3, 4))), rule=rules.stdp()),
        Projection("hid", "out", Dense(rng.integers(1, 9, (2, 3)))),
    )
    made = rewritten_for(Network(ends, projections), "lava")
    assert made.learning[0].rule is not None
    assert np.array_equal(made.learning[0].synapse.weight, projections[0].synapse.weight)
