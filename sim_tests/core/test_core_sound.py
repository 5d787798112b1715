"""Loops of sound against the same equations in Python's own numbers, to the bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neurodeploy.core.sound import Mask, Product, gammatone, step_columns


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("inputs", [1, 3, 4, 5, 31, 64])
@pytest.mark.parametrize("outputs", [1, 2, 7, 40])
def test_products_add_from_the_first_column_to_the_last(inputs, outputs):
    rng = np.random.default_rng(inputs * outputs)
    columns = rng.normal(size=(inputs, outputs)) * 10.0 ** rng.integers(-8, 8, (inputs, 1))
    vector, start = rng.normal(size=inputs), rng.normal(size=outputs)
    expected = start.tolist()
    for k in range(inputs):
        expected = [total + float(vector[k] * columns[k, j]) for j, total in enumerate(expected)]
    product = Product(columns)
    for _ in range(2):  # nothing of a call stays for the next
        assert_same(product(vector, start), np.array(expected))
    with pytest.raises(ValueError, match="broadcast"):
        product(np.ones(inputs + 2))


def test_products_of_integers_are_exact():
    rng = np.random.default_rng(0)
    columns, vector = rng.integers(-(2**15), 2**15, (70, 33)), rng.integers(-(2**26), 2**26, 70)
    exact = [sum(int(a) * int(b) for a, b in zip(c, vector, strict=True)) for c in columns.T]
    assert_same(Product(columns).whole(vector), np.array(exact, np.int64))


def delta(value, threshold, sent):
    change = value - sent
    return ([change], sent + change) if abs(change) >= threshold else ([0], sent)


def sigma_delta(value, threshold, held):
    held += value
    spike = 1 if held >= threshold else -1 if held <= -threshold else 0
    return [spike], held - spike * threshold


def level_crossing(value, spacing, level):
    change = value - level * spacing
    crossed = int(abs(change) // spacing)
    return ([crossed, 0], level + crossed) if change >= 0 else ([0, crossed], level - crossed)


def track(value, threshold, level):
    change = value - level
    spike = 1 if change > threshold else -1 if change < -threshold else 0
    return [spike], level + spike * threshold


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("coder", [delta, sigma_delta, level_crossing, track])
def test_coders_of_columns(coder, whole):
    """Many values lie on thresholds; rows come in two pieces."""
    rng = np.random.default_rng(3)
    for width, scale in ((1, 1), (5, 6), (17, 40)):
        rows = rng.integers(-3 * scale, 3 * scale + 1, (80, width))
        rows = rows if coder is sigma_delta else np.cumsum(rows, axis=0)
        threshold = 2 * scale if whole else 0.1 * scale
        rows = rows if whole else rows / 20
        kind = np.int64 if whole else np.float64
        state = np.zeros(width, np.int64 if coder is level_crossing else kind)
        parts = 2 if coder is level_crossing else 1
        out = np.full((80, parts * width), 7, kind if coder is delta else np.int64)
        for piece in (slice(0, 33), slice(33, 33), slice(33, 80)):
            step_columns(coder.__name__, rows[piece], threshold, state, out[piece])
        expected, expected_state = np.zeros_like(out), np.zeros_like(state)
        for j in range(width):
            held = state.dtype.type(0).item()
            for t in range(80):
                expected[t, j::width], held = coder(rows[t, j].item(), threshold, held)
            expected_state[j] = held
        assert_same(out, expected)
        assert_same(state, expected_state)
        assert len(np.unique(out)) > 2


@pytest.mark.parametrize("bits", [0, 20])
def test_gammatone_filters(bits):
    rng = np.random.default_rng(4)
    hop, bands, hops = 13, 6, 9
    poles = np.exp(-0.1 * rng.random(bands) + 3j * rng.random(bands))
    poles = np.stack([poles.real, poles.imag, 1 - np.abs(poles)])
    sound = rng.normal(size=hop * hops)
    if bits:
        poles = np.rint(poles * 2**bits).astype(np.int64)
        sound = np.rint(sound * 1000).astype(np.int64) << 12
    state = np.zeros((bands, 4, 2), sound.dtype)
    found = np.concatenate([
        gammatone(part, hop, poles, bits, state) for part in np.split(sound, [4 * hop, 5 * hop])
    ])  # fmt: skip
    expected, expected_state = np.zeros_like(found), np.zeros_like(state)
    for band in range(bands):
        real, imag, gain = (p.item() for p in poles[:, band])
        z = [(sound.dtype.type(0).item(),) * 2] * 4
        levels = [0] * hops
        for n, value in enumerate(sound.tolist()):
            re, im = value, 0
            for i, (x, y) in enumerate(z):
                re, im = real * x - imag * y + gain * re, real * y + imag * x + gain * im
                re, im = (re >> bits, im >> bits) if bits else (re, im)
                z[i] = re, im
            levels[n // hop] += abs(2 * re)
        expected[:, band] = [total // hop if bits else total / hop for total in levels]
        expected_state[band] = z
    assert_same(found, expected)
    assert_same(state, expected_state)
    assert np.abs(found).min() > 0


def test_masks():
    rng = np.random.default_rng(5)
    frame, bias = np.maximum(rng.normal(size=57), 0), rng.normal(size=57)
    output = rng.integers(-(10**5), 10**5, 57).astype(np.int32)
    mask = Mask(16, 20, 1e-5, 4e4, bias)
    mean = 0.0
    for value in frame.tolist():  # the sum() of Python 3.12 compensates
        mean += value
    mean /= 57
    variance = 0.0
    for value in frame.tolist():
        variance += (value - mean) * (value - mean)
    scale = 16 / math.sqrt(variance / 57 + 1e-5)
    normal = [round(min(max((x - mean) * scale, -20.0), 20.0)) for x in frame.tolist()]
    assert_same(mask.normalised(frame), np.array(normal, np.int64))
    assert max(normal) == 20
    masked = [
        x / (1 + math.exp(-(o / 4e4 + b)))
        for x, o, b in zip(frame.tolist(), output.tolist(), bias.tolist(), strict=True)
    ]
    np.testing.assert_allclose(mask.masked(frame, output), masked, rtol=4e-16)  # exp is libm's
    assert not mask.normalised(np.full(57, 3.0)).any()


def test_halves_are_rounded_to_even():
    frame = np.array([0.0, 1.0])  # half a unit from the mean; no spread is added
    found = Mask(1, 9, 1e-300, 1.0, np.zeros(2)).normalised(frame)
    assert found.tolist() == [-1, 1]
    halves = Mask(0.5, 9, 1e-300, 1.0, np.zeros(2)).normalised(frame)
    assert halves.tolist() == [0, 0]
    thrice = Mask(1.5, 9, 1e-300, 1.0, np.zeros(2)).normalised(frame)
    assert thrice.tolist() == [-2, 2]
