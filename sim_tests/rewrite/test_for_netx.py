"""What netx does without a word, done beforehand: delays where it puts them, decays it keeps."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    ComplexDense,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    Population,
    Projection,
    ResonateFire,
    SigmaDelta,
    Source,
)
from neurodeploy.targets.rewrite import (
    decays_through_floats,
    delays_before_the_layer,
    delays_left_out,
)
from neurodeploy.targets.rewrite.resonators import through_floats


def delayed(seed: int, neuron: object) -> Network:
    rng = np.random.default_rng(seed)

    def dense(targets: int, sources: int) -> Dense:
        return Dense((2 * rng.integers(-30, 60, (targets, sources))).astype(np.int32))

    return Network(
        (
            Population("input", (12,), Source(signed=isinstance(neuron, SigmaDelta))),
            Population("a", (9,), neuron, rng.integers(0, 7, 9).astype(np.int32)),
            Population("b", (5,), neuron),
        ),
        (Projection("input", "a", dense(9, 12)), Projection("a", "b", dense(5, 9))),
    )


def presented() -> np.ndarray:
    return (np.random.default_rng(1).random((2, 50, 12)) < 0.3).astype(np.int32)


@pytest.mark.parametrize(
    "neuron",
    [CubaLIF(900, 300, 90), CubaLIF(900, 300, 90, 4), CubaLIF(900, 300, 90, -3), SigmaDelta(6)],
    ids=["plain", "bias", "negative bias", "sigma-delta"],
)
def test_delays_before_a_layer_are_delays_behind_it(neuron):
    for seed in range(4):
        before = delayed(seed, neuron)
        after = delays_before_the_layer(before, frozenset({"a"}))
        assert after["a"].axon_delay is None
        assert isinstance(after.projections[0].synapse, DelayedDense)
        inputs = presented() * (40 if isinstance(neuron, SigmaDelta) else 1)
        old, new = (nd.run(n, inputs, record=("spikes", "u", "v")) for n in (before, after))
        if np.any(getattr(neuron, "bias", 0)) and not np.any(after["a"].initial_voltage):
            continue  # a bias that leads to the threshold, or through it
        for what in ("spikes", "u", "v"):
            np.testing.assert_array_equal(getattr(new["b"], what), getattr(old["b"], what))
        np.testing.assert_array_equal(new["a"].spikes, old["a"].spikes)
        assert old.output.any()


def test_a_bias_is_early_only_where_no_voltage_makes_up_for_it():
    found = [
        delays_before_the_layer(delayed(s, CubaLIF(900, 300, 90, 4)), frozenset({"a"}))["a"]
        for s in range(4)
    ]
    assert all(np.all(p.initial_voltage <= 0) and np.any(p.initial_voltage) for p in found)


def test_what_netx_ignores_is_left_out():
    before = delayed(0, CubaLIF(900, 300, 90))
    assert delays_left_out(before, frozenset({"a"})) == before  # a matrix: netx has its delays
    assert delays_before_the_layer(before, frozenset({"b"})) == before


def pairs() -> np.ndarray:
    rng = np.random.default_rng(0)
    angle, length = rng.uniform(0.05, 3, 300), rng.uniform(0.3, 0.99, 300)
    return np.rint(4096 * length * np.array([np.sin(angle), np.cos(angle)])).astype(int)


def test_decays_are_those_that_lava_gets_from_netx():
    """Against SLAYER's and Lava's own functions."""
    pytest.importorskip("lava.lib.dl.slayer", reason="needs lava-dl (extra lava)")
    from lava.lib.dl.slayer.neuron.rf import neuron_params
    from lava.proc.rf.process import RF

    off = 0
    for sin, cos in pairs().T:
        made = neuron_params({"sinDecay": sin, "cosDecay": cos, "vThMant": 64})
        process = RF(shape=(1,), period=made["period"], alpha=made["decay"], state_exp=6,
                     decay_bits=12)  # fmt: skip
        held = int(process.sin_decay.init), int(process.cos_decay.init)
        assert tuple(int(d) for d in through_floats(sin, cos)) == held
        off += held != (sin, cos)
    assert off > 50


@pytest.mark.parametrize("each", [True, False])
def test_decays_move_to_the_nearest_that_stay(each):
    for sin, cos in pairs().T[:40]:
        neuron = ResonateFire(*(np.full(3, d, np.int32) if each else int(d) for d in (sin, cos)),
                              threshold=90)  # fmt: skip
        network = Network(
            (Population("input", (4,), Source()), Population("a", (3,), neuron)),
            (Projection("input", "a", ComplexDense(*np.full((2, 3, 4), 60, np.int32))),),
        )
        made = decays_through_floats(network, frozenset({"a"}))["a"].neuron
        held = through_floats(made.sin_decay, made.cos_decay)
        np.testing.assert_array_equal(held, (made.sin_decay, made.cos_decay))
        moved = np.abs(
            np.subtract((made.sin_decay, made.cos_decay), (neuron.sin_decay, neuron.cos_decay))
        )
        assert moved.max() <= 2
