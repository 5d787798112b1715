"""Draws a random operator of each kind with the shapes that it leads between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.errors import NetworkError
from neurodeploy.network import (
    Complex,
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    CubaLIF,
    DelayedDense,
    DelayedSparse,
    Dense,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Sparse,
    TemporalFIR,
    Unpool,
)


def weights(rng, *shape) -> np.ndarray:
    """Even, of both signs, now and then mostly zero."""
    weight = 2 * rng.integers(-50, 90, shape)
    if rng.random() < 0.3:
        weight = weight * (rng.random(shape) < 0.5)
    return weight.astype(np.int32)


def image(rng) -> tuple[int, int, int]:
    return int(rng.choice([1, 2, 4])), int(rng.integers(3, 9)), int(rng.integers(3, 10))


def any_shape(rng) -> tuple[int, ...]:
    return image(rng) if rng.random() < 0.5 else (int(rng.integers(2, 20)),)


def pair(rng, low, high) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def geometry(rng) -> dict:
    return {
        "stride": pair(rng, 1, 4),
        "padding": pair(rng, 0, 3),
        "dilation": pair(rng, 1, 3),
    }


def with_loop_and_taps(network: Network, rng) -> Network:
    """Add a biased population that is fed by itself, too, and one behind taps in time."""
    source, size = network.output.name, network.output.size
    hops = network.hops(source)
    more = [
        Population(name, (size,), CubaLIF(2048, 512, 20, bias=3), starts=hops + 1 + number)
        for number, name in enumerate(("looped", "tapped"))
    ]
    matrix = Dense(rng.integers(-64, 64, (size, size), np.int32))
    taps = TemporalFIR(rng.integers(-64, 64, (4, size), np.int32))
    return Network(
        [*network.populations, *more],
        [
            *network.projections,
            Projection(source, "looped", matrix),
            Projection("looped", "looped", matrix),
            Projection("looped", "tapped", taps),
        ],
    )


def draw(kind: str, seed: int):
    """Give (operator, source shape, target shape)."""
    rng = np.random.default_rng([seed, *kind.encode()])
    while True:
        try:
            synapse, source, target = globals()["_" + kind](rng)
            if target is None:
                target = synapse.output_shape(source)
            if min(target) < 1 or int(np.prod(target)) > 2000:
                continue
            synapse.check(source, target)
        except NetworkError:
            continue
        return synapse, source, target


def _conv(rng):
    source = image(rng)
    groups = int(rng.choice([g for g in (1, 2, 4) if source[0] % g == 0]))
    shape = (groups * int(rng.integers(1, 4)), source[0] // groups, *pair(rng, 1, 4))
    return Conv(weights(rng, *shape), **geometry(rng), groups=groups), source, None


def _depthwise(rng):
    source = image(rng)
    shape = (source[0] * int(rng.integers(1, 3)), 1, *pair(rng, 1, 4))
    return Conv(weights(rng, *shape), **geometry(rng), groups=source[0]), source, None


def _conv_transpose(rng):
    source = image(rng)
    groups = int(rng.choice([g for g in (1, 2, 4) if source[0] % g == 0]))
    shape = (source[0], int(rng.integers(1, 4)), *pair(rng, 1, 4))
    return ConvTranspose(weights(rng, *shape), **geometry(rng), groups=groups), source, None


def _complex_conv(rng):
    conv, source, _ = _conv(rng)
    imag = weights(rng, *conv.weight.shape)
    how = (conv.stride, conv.padding, conv.dilation, conv.groups)
    return ComplexConv(conv.weight, imag, *how), source, None


def _pool(rng):
    kernel = pair(rng, 1, 4)
    weight = weights(rng, *kernel) if rng.random() < 0.3 else np.full(kernel, 70, np.int32)
    how = geometry(rng) if rng.random() < 0.6 else {"stride": kernel}
    ends = pair(rng, 0, 3) if rng.random() < 0.5 else (0, 0)
    synapse = Pool(weight, **how, end_padding=ends, across_channels=bool(rng.random() < 0.5))
    return synapse, image(rng), None


def _unpool(rng):
    kernel = pair(rng, 1, 4)
    weight = weights(rng, *kernel) if rng.random() < 0.3 else np.full(kernel, 70, np.int32)
    how = geometry(rng) if rng.random() < 0.6 else {"stride": kernel}
    return Unpool(weight, **how, across_channels=bool(rng.random() < 0.5)), image(rng), None


def _shapes(rng):
    source, target = any_shape(rng), any_shape(rng)
    return source, target, (int(np.prod(target)), int(np.prod(source)))


def _dense(rng):
    source, target, size = _shapes(rng)
    return Dense(weights(rng, *size)), source, target


def _delayed_dense(rng):
    source, target, size = _shapes(rng)
    if rng.random() < 0.3:
        delay = rng.integers(0, 9, size[1])
        return DelayedDense.from_axons(weights(rng, *size), delay.astype(np.int32)), source, target
    delay = rng.integers(0, int(rng.choice([1, 3, 20])), size).astype(np.int32)
    return DelayedDense(weights(rng, *size), delay), source, target


def _delayed_sparse(rng):
    source, target, size = _shapes(rng)
    weight = weights(rng, *size) * (rng.random(size) < rng.choice([0.05, 0.5]))
    delay = rng.integers(0, int(rng.choice([1, 3, 20])), size)
    return DelayedSparse.of(weight.astype(np.int32), delay), source, target


def _complex_parts(rng):
    part, source, _ = (_conv_transpose, _pool, _unpool)[int(rng.integers(3))](rng)
    imag = replace(part, weight=weights(rng, *part.weight.shape))
    return Complex(part, imag), source, part.output_shape(source)


def _complex_dense(rng):
    source, target, size = _shapes(rng)
    return ComplexDense(weights(rng, *size), weights(rng, *size)), source, target


def _sparse(rng):
    source, target, size = _shapes(rng)
    weight = weights(rng, *size) * (rng.random(size) < rng.choice([0.05, 0.5]))
    sparse = Sparse.from_dense(weight.astype(np.int32))
    if rng.random() < 0.3:  # an explicit zero, and a synapse listed twice
        index, values = sparse.index.copy(), sparse.weight.copy()
        values[::5] = 0
        if len(index) > 1 and sparse.targets[0] == sparse.targets[1]:
            index[1] = index[0]
        sparse = Sparse(sparse.indptr, index, values, sparse.sources)
    return sparse, source, target


def _one_to_one(rng):
    source = any_shape(rng)
    size = int(np.prod(source))
    target = (size,) if rng.random() < 0.3 else source
    weight = 150 if rng.random() < 0.4 else weights(rng, size) + 40
    return OneToOne(weight), source, target


def _temporal_fir(rng):
    source, target, size = _shapes(rng)
    taps = int(rng.integers(1, 7))
    if rng.random() < 0.4:
        return TemporalFIR(weights(rng, taps, size[1])), source, source
    return TemporalFIR(weights(rng, taps, *size)), source, target


KINDS = tuple(sorted(name[1:] for name in globals() if name[0] == "_" and name[1] != "_"))
KINDS = tuple(kind for kind in KINDS if kind != "shapes")
