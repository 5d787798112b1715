"""What quantization tries out, against the same equations in Python's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.core.rounding import RESETS, integrate, round_together

LIMIT = 2**23 - 1


@pytest.mark.parametrize("sources", [1, 2, 9, 40])
def test_weights_rounded_together(sources):
    rng = np.random.default_rng(sources)
    targets = 7
    scaled = rng.normal(size=(targets, sources)) * 60
    absent = rng.random((targets, sources)) < 0.2
    low, high = np.where(absent, 0.0, -40.0), np.where(absent, 0.0, 50.0)
    inputs = rng.random((200, sources))
    power = inputs.T @ inputs / 200 + 0.01 * np.eye(sources)
    upper = np.linalg.cholesky(np.linalg.inv(power)).T
    unit = 2.0 ** rng.integers(-8, 3, sources) / 3.3
    found = round_together(scaled, low, high, upper, unit)
    expected = np.zeros((targets, sources), np.int64)
    for i in range(targets):
        rest = [float(a * b) for a, b in zip(scaled[i], unit, strict=True)]
        for j in range(sources):
            whole = min(max(round(rest[j] / unit[j]), int(low[i, j])), int(high[i, j]))
            expected[i, j] = whole
            error = (rest[j] - whole * unit[j]) / upper[j, j]
            for k in range(j + 1, sources):
                rest[k] -= error * upper[j, k]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int64
    alone = np.clip(np.rint(scaled), low, high)
    if sources > 2:  # what it is for: the sums over inputs err less
        errors = [np.linalg.norm((w - scaled) * unit @ inputs.T) for w in (found, alone)]
        assert errors[0] < errors[1]


def towards_zero(product):
    return product >> 12 if product >= 0 else -(-product >> 12)


def stepped(current, decays, threshold, bias, refractory, taken_off, reset):
    """One neuron in Python's integers: spikes, v, and how often a state was cut to 24 bits."""
    u = v = wait = saturated = 0
    spikes, voltages = [], []
    for value in current:
        u = towards_zero(u * (4096 - decays[0])) + 64 * value
        saturated += abs(u) > LIMIT
        u = max(-LIMIT, min(LIMIT, u))
        fires = False
        if wait:
            wait -= 1
        else:
            if reset == "subtract-late" and v > 64 * threshold:
                v = towards_zero(v * (4096 - decays[1])) - taken_off
            else:
                v = towards_zero(v * (4096 - decays[1]))
            v += u + 64 * bias
            saturated += abs(v) > LIMIT
            v = max(-LIMIT, min(LIMIT, v))
            fires = v > 64 * threshold
        if fires:
            wait = refractory - 1
            v = {"zero": 0, "subtract": v - taken_off}.get(reset, v)
        spikes.append(fires)
        voltages.append(v)
    return spikes, voltages, saturated


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("factor", [1, 3000])
@pytest.mark.parametrize("refractory", [1, 4])
def test_a_population_in_integers(reset, factor, refractory):
    rng = np.random.default_rng(factor + refractory)
    samples, steps, neurons = 3, 50, 19
    current = rng.integers(-1000, 2000, (samples, steps, neurons)) * factor
    decays = rng.integers(0, 4097, (2, neurons))
    threshold, bias = rng.integers(1, 3000, neurons), rng.integers(-300, 900, neurons)
    threshold *= min(factor, 40)
    waits = rng.integers(1, refractory + 1, neurons)
    taken_off = rng.integers(1, 64 * 2000, neurons)
    parameters = np.stack([*(1 - decays / 4096), 64 * threshold, 64 * bias, waits, taken_off])
    spikes, v, saturated = integrate(current.astype(np.float64), parameters, reset)
    expected, expected_v, count = np.zeros_like(spikes), np.zeros_like(v), 0
    for s in range(samples):
        for j in range(neurons):
            one = (a.item() for a in (threshold[j], bias[j], waits[j], taken_off[j]))
            fired, states, cut = stepped(
                current[s, :, j].tolist(), decays[:, j].tolist(), *one, reset
            )
            expected[s, :, j], expected_v[s, :, j], count = fired, states, count + cut
    np.testing.assert_array_equal(spikes, expected)
    np.testing.assert_array_equal(v, expected_v)
    assert saturated == count
    assert (count > 0) == (factor == 3000)
    assert 0 < spikes.mean() < 1
