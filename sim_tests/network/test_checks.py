"""What is no valid network cannot be made, and one that was made cannot be changed."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, fields, replace
from itertools import chain, pairwise
from typing import ClassVar

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.core.order import cycles
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    ALIF,
    Complex,
    ComplexDense,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    FloatLIF,
    GeneralCubaLIF,
    GradedThreshold,
    InputTransform,
    LeakyIntegrator,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Rating,
    ResonateFire,
    SigmaDelta,
    Source,
    Sparse,
    TernaryLIF,
)
from neurodeploy.network.fields import limits_of
from neurodeploy.targets.look_ahead import look_ahead

I = np.int32  # noqa: E741


def two(neuron=None, weight=None, size=8, source="in", target="n"):
    """A port and a population behind it."""
    weight = Dense(np.full((size, 2), 40, I)) if weight is None else weight
    return Network(
        (
            Population(source, (2,), Source()),
            Population(target, (size,), neuron or CubaLIF(400, 300, 70)),
        ),
        (Projection(source, target, weight),),
    )


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (lambda: CubaLIF(9999, 0, 100), "cuba-lif neuron: current_decay holds 9999, needs 0..4096"),
        (lambda: CubaLIF(0, -3, 100), "voltage_decay holds -3, needs 0..4096"),
        (lambda: CubaLIF(np.array([0, 5000]), 0, 1), "current_decay holds 5000"),
        (lambda: CubaLIF(0, 0, 100.5), "threshold holds 100.5 (float64); give integers"),
        (lambda: CubaLIF(0, 0, np.ones(2, np.float32)), "threshold holds 1. (float32)"),
        (lambda: CubaLIF(0, 0, True), "threshold holds True (bool); give integers"),
        (lambda: CubaLIF(0, 0, "high"), "give integers"),
        (lambda: CubaLIF(0, 0, [[1], [2, 3]]), "give integers"),
        (
            lambda: CubaLIF(0, 0, 1 << 40),
            "threshold holds 1099511627776, needs -33554431..33554431",
        ),
        (lambda: CubaLIF(0, 0, 1 << 80), "give integers"),
        (lambda: CubaLIF(0, 0, 1, 1 << 24), "bias holds 16777216, needs"),
        (lambda: CubaLIF(0, 0, np.ones((2, 3), I)), "threshold has shape (2, 3)"),
        (lambda: CubaLIF(0, 0, np.ones(0, I)), "threshold has shape (0,)"),
        (lambda: GeneralCubaLIF(0, 0, 1, reset="soft"), "reset is 'soft'; choose one of zero, sub"),
        (lambda: GeneralCubaLIF(0, 0, 1, graded_spike=2), "graded_spike is 2; give True or False"),
        (
            lambda: GeneralCubaLIF(0, 0, 1, voltage_exponent=17),
            "holds 17, needs one integer in -16",
        ),
        (lambda: LeakyIntegrator(-1, 0), "leaky-integrator neuron: current_decay holds -1"),
        (lambda: TernaryLIF(0, 0, 1 << 25, 0), "upper holds 33554432"),
        (lambda: ALIF(0, 0, 0, 0, 5, 5, bias=1 << 35), "bias holds 34359738368"),
        (lambda: ResonateFire(4097, 0, 5), "sin_decay holds 4097, needs -4096..4096"),
        (lambda: GradedThreshold(-1), "threshold holds -1, needs 0.."),
        (lambda: Delta(1 << 19), "threshold holds 524288, limit 524287 with 0 fraction_bits"),
        (lambda: SigmaDelta(5, -(1 << 20), True, 1), "bias holds 1048576, limit 1048575"),
        (lambda: FloatLIF(threshold=np.inf), "threshold holds 1 numbers, 1 are NaN or infinite"),
        (lambda: FloatLIF(voltage_keep=np.array([1.0, 1e300])), "1 are NaN or infinite in float32"),
        (lambda: InputTransform(np.nan, 0.0), "weight is nan, needs one finite number"),
        (lambda: Dense(np.full((2, 2), 1 << 40)), "weight holds 1099511627776, beyond the 32 bits"),
        (lambda: Dense(np.full((2, 2), np.nan)), "holds 4 numbers, 4 are NaN"),
        (lambda: Dense(np.array([["a"]])), "give numbers"),
        (lambda: Dense(7), "weight is 7, needs an array"),
        (lambda: OneToOne(1 << 31), "weight holds 2147483648"),
        (
            lambda: DelayedDense(np.ones((1, 1), I), np.full((1, 1), -1)),
            "delay holds -1, needs 0..",
        ),
        (lambda: Sparse(np.arange(3), np.array([0, -1]), np.ones(2, I), 2), "index holds -1"),
        (
            lambda: Conv(np.ones((1, 1, 2, 2), I), stride=(0, 1)),
            "stride is (0, 1), needs two integ",
        ),
        (lambda: Conv(np.ones((1, 1, 2, 2), I), groups=0), "groups holds 0"),
        (lambda: Complex(Pool.sums((2, 2)), 5), "complex synapses: 5 is no operator"),
        (
            lambda: Population("n", (0,), Source()),
            "population 'n': shape is (0,), needs (neurons,)",
        ),
        (
            lambda: Population("n", (2, 3), Source()),
            "needs (neurons,) or (channels, height, width)",
        ),
        (lambda: Population("n", (3,), CubaLIF), "is no neuron model"),
        (lambda: Population("n", (3,), Source(), np.array([0, -1, 2])), "axon_delay holds -1"),
        (lambda: Population("n", (3,), Source(), np.arange(2)), "axon_delay has shape (2,), needs"),
        (lambda: Population("n", (3,), Source(), starts=-1), "starts holds -1"),
        (
            lambda: Population("n", (8,), CubaLIF(0, 0, np.array([1, 2, 3]))),
            "population 'n': cuba-lif neurons: threshold holds 3 values, needs one, or one for "
            "each of 8 neurons",
        ),
    ],
)
def test_what_no_chip_and_no_engine_can_run_cannot_be_made(neuron, message):
    with pytest.raises(NetworkError) as caught:
        neuron()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.", None, 3])
def test_names_that_no_file_can_hold_are_refused(name):
    with pytest.raises(NetworkError, match="no name that a file can hold"):
        Population(name, (2,), Source())


@pytest.mark.parametrize("name", ["\x1b[31mred", "o\x9b31m", "a\nb", "a\0b"])
def test_names_that_a_terminal_would_obey_are_refused(name):
    with pytest.raises(NetworkError, match="no terminal can show") as caught:
        Population(name, (2,), Source())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("order", [("a", "a/counts"), ("a/b/c", "a")])
def test_a_name_within_another_is_refused(order):
    with pytest.raises(NetworkError, match="its name lies within that of population 'a'"):
        two(source=order[0], target=order[1])


def test_names_that_begin_alike_are_recorded_apart(tmp_path):
    network = two(source="a/counts", target="a.b")
    recording = nd.run(network, np.ones((1, 6, 2), I), out=tmp_path / "r.h5")
    assert recording["a/counts"].counts.tolist() == [[6, 6]]
    assert recording["a.b"].counts.sum() > 0


def test_parallel_projections_have_names_of_their_own():
    way = Projection("in", "n", Dense(np.ones((8, 2), I)))
    network = replace(two(), projections=(way, way, way))
    assert [p.name for p in network.projections] == ["in->n", "in->n#2", "in->n#3"]
    kept = replace(network, projections=network.projections[1:])
    assert [p.name for p in kept.projections] == ["in->n", "in->n#2"]
    assert kept == replace(two(), projections=(way, way))


def arrays_of(part):
    for item in fields(part):
        value = getattr(part, item.name)
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple) or hasattr(value, "__dataclass_fields__"):
            for inner in value if isinstance(value, tuple) else (value,):
                if hasattr(inner, "__dataclass_fields__"):
                    yield from arrays_of(inner)


def everything():
    rng = np.random.default_rng(0)
    some = rng.integers(1, 9, 8)
    return Network(
        (
            Population("in", (2,), Source(), some[:2]),
            Population("n", (8,), CubaLIF(some, some, some, some), some),
            Population("rf", (3,), ResonateFire(100, 100, some[:3])),
        ),
        (
            Projection(
                "in",
                "n",
                DelayedDense(rng.integers(-5, 5, (8, 2)), some.reshape(4, 2)[:1].repeat(8, 0)),
            ),
            Projection("in", "n", Sparse.from_dense(rng.integers(-5, 5, (8, 2)))),
            Projection("n", "rf", ComplexDense(np.ones((3, 8), I), np.ones((3, 8), I))),
        ),
    )


@pytest.mark.parametrize(
    "way", [lambda n: n, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_arrays_cannot_be_changed_in_place(way):
    network = way(everything())
    assert network == everything()
    found = list(arrays_of(network))
    assert len(found) == 14
    for array in found:
        assert array.dtype == (np.int64 if array is network.projections[1].synapse.indptr else I)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.view().setflags(write=True)
    with pytest.raises(TypeError):
        network.metadata["a"] = 1


def test_what_the_caller_changes_afterwards_changes_nothing():
    weight, threshold = np.full((8, 2), 40), np.arange(60, 68)
    view = weight.view()
    view.setflags(write=False)
    network = two(CubaLIF(400, 300, threshold), Dense(view))
    inputs = np.ones((1, 20, 2), I)
    before, was = nd.run(network, inputs).output, network.fingerprint
    assert before.any()
    weight[:], threshold[:] = 0, 1 << 20
    assert two(CubaLIF(400, 300, np.arange(60, 68)), Dense(np.full((8, 2), 40))).fingerprint == was
    assert np.array_equal(nd.run(network, inputs).output, before)


def test_what_is_frozen_already_is_not_copied():
    first = Dense(np.ones((300, 200)))
    assert first.weight.dtype == np.float32
    assert Dense(first.weight).weight is first.weight
    assert replace(two(), metadata={"a": 1}).projections[0].synapse.weight is not None
    neuron = CubaLIF(0, 0, np.arange(8))
    assert replace(neuron, bias=3).threshold is neuron.threshold


def test_limits_are_declared_once_and_can_be_asked_for():
    assert limits_of(CubaLIF, "voltage_decay") == (0, 4096)
    with pytest.raises(KeyError):
        limits_of(GeneralCubaLIF, "reset")


def test_the_largest_parameters_compute_within_int32():
    low, high = limits_of(CubaLIF, "bias")
    top = limits_of(CubaLIF, "threshold")[1]
    for bias, expected in ((high, (1 << 23) - 1), (low, 1 - (1 << 23))):
        recording = nd.run(two(CubaLIF(0, 0, top, bias)), np.ones((1, 9, 2), I), record=("v",))
        assert (recording["n"].v == expected).all()


@dataclass(frozen=True, eq=False)
class Derived(CubaLIF):
    """Another model, which only shares its parameters."""


@dataclass(frozen=True, eq=False)
class DerivedWithItsKind(CubaLIF):
    """The same, with a kind of its own."""

    kind: ClassVar[str] = "my-neuron"


@pytest.mark.parametrize("model", [Derived, DerivedWithItsKind])
@pytest.mark.parametrize("target", ["lava", "loihi2", "netx"])
def test_a_derived_model_is_faithful_nowhere(model, target, tmp_path):
    network = two(model(400, 300, 70))
    worst = [e.rating for e in look_ahead(network, target) if e.element in ("n", "network")]
    assert worst == [Rating.UNSUPPORTED]
    with pytest.raises(UnsupportedError):
        nd.save(network, tmp_path / "a.net", netx_only=True)


@pytest.mark.parametrize("model", [Derived, DerivedWithItsKind])
def test_a_derived_model_is_not_quantized_into_another(model):
    fixed = nd.quantize(two(model(400, 300, 70)), nd.QuantConfig(bits=4))
    assert type(fixed["n"].neuron) is model


@dataclass(frozen=True, eq=False)
class DerivedFloat(FloatLIF):
    """Another model in float32."""


def test_a_derived_float_model_is_not_taken_for_another(tmp_path):
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    network = two(DerivedFloat(voltage_keep=0.5))
    for use in (
        lambda: nd.run(network, np.ones((1, 3, 2)), backend="float"),
        lambda: nd.quantize(network),
        lambda: nd.save(network, tmp_path / "a.nir"),
    ):
        with pytest.raises(UnsupportedError, match="population 'n'"):
            use()
    assert not list(tmp_path.iterdir())


def test_a_long_chain_listed_backwards_does_not_recurse():
    count = 1_100
    one, weight = CubaLIF(4096, 4096, 30), Dense(np.full((1, 1), 40, I))
    names = ["in", *(f"n{i}" for i in range(count - 1, 0, -1)), "n0"]
    way = ["in", "n0", *(f"n{i}" for i in range(1, count))]
    network = Network(
        tuple(Population(n, (1,), Source() if n == "in" else one) for n in names),
        tuple(Projection(a, b, weight) for a, b in pairwise(way)),
    )
    assert list(cycles(network)) == [[name] for name in way]
    assert network.hops(way[-1]) == count
    last = nd.run(network, np.ones((1, count + 2, 1), I), record=("spikes",))[way[-1]].spikes
    assert last.ravel().tolist() == [0] * count + [1, 1]


@pytest.mark.parametrize("seed", range(30))
def test_cycles_are_those_of_reachability(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 12))
    edges = rng.random((count, count)) < rng.choice([0.05, 0.15, 0.3])
    names = [f"n{i}" for i in range(count)]
    network = Network(
        tuple(Population(name, (1,), CubaLIF(0, 0, 9)) for name in names),
        tuple(
            Projection(names[a], names[b], OneToOne(5))
            for a, b in zip(*edges.nonzero(), strict=True)
        ),
    )
    reach = edges | np.eye(count, dtype=bool)
    for middle in range(count):
        reach |= reach[:, [middle]] & reach[middle]
    found = [[names.index(name) for name in group] for group in cycles(network)]
    assert sorted(chain.from_iterable(found)) == list(range(count))
    for place, group in enumerate(found):
        assert group == [b for b in range(count) if reach[group[0], b] and reach[b, group[0]]]
        later = [b for rest in found[place + 1 :] for b in rest]
        assert not reach[np.ix_(later, group)].any()
