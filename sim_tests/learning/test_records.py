"""The NumPy reference and the engine on what Lava's own learning connection was recorded to do."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.network import (
    CubaLIF,
    Dense,
    LearningRule,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from sim_tests.learning.against import assert_same, learned_by_engine
from sim_tests.learning.reference import LIF, run_chain

TWO_FACTOR = [
    ("dw = 2^-4*x0*y1 - 2^-3*y0*x1*w + 2^2*u0",
     {"x1_impulse": 16.7, "x1_tau": 9, "y1_impulse": 31.3, "y1_tau": 5}),
    ("dw = 2^-2*y0*x1 - 2^-2*x0*y1",
     {"x1_impulse": 20, "x1_tau": 10, "y1_impulse": 20, "y1_tau": 10, "epoch": 4}),
    ("dw = 2^-5*u0*x1*y1 - 2^-6*u0*t*y2; dt = 2^-3*x0*y1 - 2^-4*u0*t",
     {"x1_impulse": 40, "x1_tau": 20, "y1_impulse": 50, "y1_tau": 8, "y2_impulse": 60,
      "y2_tau": 30, "epoch": 2}),
    ("dw = 2^-6*u1*x1*y1*(w-20)",
     {"x1_impulse": 33.5, "x1_tau": 6, "y1_impulse": 12.25, "y1_tau": 12}),
]  # fmt: skip
"""As the record was made (``oracles/lava_learn.py``), u first as we have it."""


@pytest.fixture(scope="module")
def records(cases):
    folder = cases / "systems" / "oracles"
    return {name: np.load(folder / f"{name}.npz") for name in ("lava_learn", "lava_3f")}


def recorded(file, key, names):
    return {name: np.asarray(file[f"{key}_{name}"], np.int64) for name in names}


@pytest.mark.parametrize("sign", ["MIXED", "EXCITATORY"])
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("who", ["reference", "engine"])
def test_two_factors(records, who, number, sign):
    key = f"{number}_{sign}"
    text, told = TWO_FACTOR[number]
    rule = LearningRule(text, seed=77, sign=sign.lower(), **told)
    lava = recorded(records["lava_learn"], key, ("w", "x1", "y1", "y2", "t", "s"))
    weight, inputs = (records["lava_learn"][f"{key}_{n}"] for n in ("w0", "in"))
    neuron = CubaLIF(3596, 300, 150)  # Lava's du is one less
    if who == "reference":
        found = run_chain(rule, weight, LIF(5, 3596, 300, 150), inputs.T)
        assert_same(lava, {name: found[name] for name in lava})
        return
    network = Network(
        (Population("in", (7,), Source()), Population("out", (5,), neuron)),
        (Projection("in", "out", Dense(weight), rule=rule),),
    )
    found = learned_by_engine(network, inputs.T)
    last = slice(rule.epoch - 1, None, rule.epoch)
    lava = {name: values if name == "s" else values[last] for name, values in lava.items()}
    if "t" not in found:
        assert not lava.pop("t").any()
    assert_same(lava, {name: found[name] for name in lava})


@pytest.mark.parametrize("epoch", [1, 4])
@pytest.mark.parametrize("who", ["reference", "engine"])
def test_three_factors(records, who, epoch):
    rule = LearningRule(
        "dw = 2^-3*u0*x1*y2 - 2^-3*u0*x1*y3",
        x1_impulse=24, x1_tau=8, epoch=epoch, seed=11, factors="three",
    )  # fmt: skip
    lava = recorded(records["lava_3f"], str(epoch), ("w", "x1", "y2", "y3", "s"))
    weight, inputs, target = (records["lava_3f"][f"{epoch}_{n}"] for n in ("w0", "in", "tg"))
    # The target is in 50ths: a synapse of weight 2 brings it, a step later.
    signal = 2 * np.vstack([np.zeros_like(target.T[:1]), target.T[:-1]])
    if who == "reference":
        told = {"cost": 100, "size": 0, "keep_y1": 0, "keep": 112}
        neuron = LIF(4, 3501, 400, 100, modulated=told)
        found = run_chain(rule, weight, neuron, inputs.T, signal)
        assert_same(lava, {name: found[name] for name in lava})
        return
    neuron = ModulatedLIF(3501, 400, 100, signal_keep=112, message_cost=100)
    both = np.hstack([inputs.T, target.T])
    # Sources 0..8 have synapses that learn, 9..12 bring the targets.
    learns = Sparse(np.arange(0, 37, 9), np.tile(np.arange(9), 4), weight.ravel(), 13)
    teaches = np.hstack([np.zeros((4, 9), int), 2 * np.eye(4, dtype=int)])
    network = Network(
        (Population("in", (13,), Source()), Population("out", (4,), neuron)),
        (
            Projection("in", "out", learns, rule=rule),
            Projection("in", "out", Dense(teaches), into="third-factor"),
        ),
    )
    found = learned_by_engine(network, both)
    found["w"], found["x1"] = found["w"][:, :, :9], found["x1"][:, :9]
    last = slice(epoch - 1, None, epoch)
    lava = {name: values if name == "s" else values[last] for name, values in lava.items()}
    assert_same(lava, {name: found[name] for name in lava})
