"""Matrices and kernels in other forms, rounded thresholds, sums that wrap: against the engine."""

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    DelayedDense,
    DelayedSparse,
    Delta,
    Dense,
    GradedThreshold,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
    Sparse,
)
from neurodeploy.targets.lava_rules import lava_weight
from neurodeploy.targets.rewrite import (
    operators_as_lists,
    pruned_as_sparse,
    thresholds_in_64ths,
    wide_weights_in_parts,
)
from neurodeploy.targets.rewrite.sums import wrapped_sums_in_parts
from sim_tests.random_synapses import draw


def two_layers(into, behind, neuron=None, shape=(3, 4, 5)):
    neuron = neuron or CubaLIF(1200, 300, 4000)
    return Network(
        (
            Population("input", (2, 5, 6), Source()),
            Population("a", shape, neuron),
            Population("b", (9,), neuron),
        ),
        (Projection("input", "a", into), Projection("a", "b", behind)),
    )


def assert_same(before, after, seed=0):
    rng = np.random.default_rng(seed)
    inputs = (rng.random((3, 40, 2, 5, 6)) < 0.3).astype(np.int32)
    record = ("spikes", "u", "v")
    a, b = (nd.run(n, inputs, record=record) for n in (before, after))
    for p in before.populations[1:]:
        assert a[p.name].spikes.any()
        for what in record:
            np.testing.assert_array_equal(
                getattr(b[p.name], what), getattr(a[p.name], what), f"{what} of {p.name}"
            )


@pytest.mark.parametrize("seed", range(6))
def test_wide_weights_are_two_synapses_that_lava_holds(seed):
    rng = np.random.default_rng(seed)
    top = int(rng.choice([130, 300, 2000, 16000]))
    kernel = rng.integers(-top // 3, top, (3, 2, 2, 2)).astype(np.int32)
    matrix = rng.integers(-top // 3, top, (9, 60)).astype(np.int32)
    behind = [
        Dense(matrix),
        DelayedDense(matrix, rng.integers(0, 9, matrix.shape).astype(np.int32)),
        Sparse.from_dense(matrix * (rng.random(matrix.shape) < 0.5)),
    ][seed % 3]
    before = two_layers(Conv(kernel), behind, CubaLIF(1200, 300, 2 * top))
    after = wide_weights_in_parts(before)
    assert len(after.projections) == 4
    assert_same(before, after, seed)
    with pytest.raises(UnsupportedError):
        lava_weight(before.projections[1])
    for projection in after.into("b"):
        mantissa, exponent = lava_weight(projection)
        assert np.abs(mantissa).max() <= 256
        assert -1 <= exponent <= 7
    assert wide_weights_in_parts(after) == after


def test_weights_that_fit_stay_one_synapse():
    rng = np.random.default_rng(1)
    fits = two_layers(
        Conv(rng.integers(-127, 128, (3, 2, 2, 2)).astype(np.int32)),
        Dense((2 * rng.integers(-128, 128, (9, 60))).astype(np.int32)),
    )
    assert wide_weights_in_parts(fits) == fits


@pytest.mark.parametrize("delayed", [False, True])
def test_pruned_matrices_as_lists_in_fewer_cores(delayed):
    rng = np.random.default_rng(2)
    weight = (2 * rng.integers(-90, 100, (900, 900)) * (rng.random((900, 900)) < 0.2)).astype(
        np.int32
    )
    late = rng.integers(0, 9, weight.shape).astype(np.int32)
    synapse = DelayedDense(weight, late) if delayed else Dense(weight)
    before = Network(
        (Population("input", (900,), Source()), Population("a", (900,), CubaLIF(4096, 128, 900))),
        (Projection("input", "a", synapse),),
    )
    after = pruned_as_sparse(before)
    assert type(after.projections[0].synapse) is (DelayedSparse if delayed else Sparse)
    assert nd.fit(after, "loihi2").cores_used < nd.fit(before, "loihi2").cores_used
    inputs = (rng.random((1, 30, 900)) < 0.1).astype(np.int32)
    a, b = (nd.run(n, inputs, record=("spikes", "u", "v")) for n in (before, after))
    assert a.output.any()
    for what in ("spikes", "u", "v"):
        np.testing.assert_array_equal(getattr(b["a"], what), getattr(a["a"], what))
    assert pruned_as_sparse(after) == after


def test_full_matrices_and_those_that_save_no_core_stay():
    rng = np.random.default_rng(3)
    small = (2 * rng.integers(-90, 100, (9, 60)) * (rng.random((9, 60)) < 0.3)).astype(np.int32)
    kernel = rng.integers(-90, 100, (3, 2, 2, 2)).astype(np.int32)
    assert pruned_as_sparse(two_layers(Conv(kernel), Dense(small))) == two_layers(
        Conv(kernel), Dense(small)
    )


def test_learnt_thresholds_in_64ths():
    neuron = SigmaDelta(34823, -77, fraction_bits=12)  # 8.5017..., -0.0188
    kernel = np.ones((3, 2, 2, 2), np.int32)
    before = two_layers(Conv(kernel), Dense(np.ones((9, 60), np.int32)), neuron)
    tiny = replace(before["b"], neuron=SigmaDelta(3, 9000, fraction_bits=12))
    first = replace(before.input, neuron=Delta(70, fraction_bits=4))
    forms = dict(thresholds_in_64ths(replace(before, populations=(first, before["a"], tiny))))
    (after, down, up) = forms.values()
    assert [n["a"].neuron.threshold for n in (down, up)] == [8, 9]
    told = [(p.neuron.threshold, getattr(p.neuron, "bias", 0)) for p in after.populations]
    assert told == [(4, 0), (9, 0), (1, 2)]  # no threshold vanishes
    assert all(p.neuron.fraction_bits == 0 for p in after.populations)
    only = next(thresholds_in_64ths(before, frozenset(["b"])))[1]
    assert [only[n].neuron.fraction_bits for n in ("a", "b")] == [12, 0]


def test_sums_that_wrap_are_split_until_none_does():
    weight = np.full((1, 6, 1, 1), 1 << 20, np.int32)
    before = Network(
        (Population("input", (6, 1, 1), Source()), Population("a", (1, 1, 1), GradedThreshold(0))),
        (Projection("input", "a", Conv(weight)),),
    )
    payloads = np.full((1, 3, 6, 1, 1), 3, np.int32)
    ready = nd.deploy(before, "lava", inputs=payloads, verified=False)
    assert {step.name for step in ready.steps} == {"wrapped-sums-in-parts"}
    assert not any(step.exact for step in ready.steps)
    out = nd.run(ready.network, payloads)
    assert out.output[0, 1:].ravel().tolist() == [18 << 20] * 2
    assert wrapped_sums_in_parts(before, frozenset(["b"])) == before


@pytest.mark.parametrize("kind", ["conv_transpose", "unpool", "pool", "one_to_one"])
def test_operators_that_a_target_has_not_as_lists(kind):
    for seed in range(6):
        synapse, source, target = draw(kind, seed)
        before = Network(
            (
                Population("input", source, Source()),
                Population("a", target, CubaLIF(1200, 300, 90)),
            ),
            (Projection("input", "a", synapse),),
        )
        after = operators_as_lists(before)
        assert type(after.projections[0].synapse) is Sparse
        rng = np.random.default_rng(seed)
        inputs = rng.integers(0, 4, (2, 20, *source)).astype(np.int32)
        a, b = (nd.run(n, inputs, record=("spikes", "u", "v")) for n in (before, after))
        for what in ("spikes", "u", "v"):
            np.testing.assert_array_equal(getattr(b["a"], what), getattr(a["a"], what))
        assert operators_as_lists(after) == after
