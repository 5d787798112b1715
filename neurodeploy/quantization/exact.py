"""Populations of which nothing need be rounded: what can stay exact stays exact.

Two kinds. Whole numbers that a chip holds already (an integer network, or one that a file held
as floats) keep their scale of 1, so that states are rounded as they were. Numbers that are whole
at another scale, such as weights trained as integers times a step, get that scale, as fine as
threshold and states allow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..network.fixed_point import DECAY_UNITY, WEIGHT_BITS
from .neurons import BIAS_MAX, THRESHOLD_MAX
from .scale_choice import Choice, Site, finest

Doubles = NDArray[np.float64]

TOLERANCE = 2.0**-20
"""Relative; a few roundings of float32 are within it."""

LEAST_WHOLE = 16
"""Threshold (of a readout: largest weight) from which whole floats count as a chip's integers.

Below, they are a trained network's own (weights of -1, 0, 1 and a threshold of 1), for which
states in steps of 1/64 are too coarse.
"""

SAMPLED = 64
"""Weights tried first: of weights without a common step some of these have none either."""

WIDEST = 10
"""Bits, more than a weight's mantissa has."""


def whole(values: Doubles, unit: float = 1.0) -> bool:
    """Whether values are multiples of a unit, but for the rounding of float32."""
    scaled = values / unit
    error = np.abs(scaled - np.rint(scaled))
    return bool((error <= TOLERANCE * np.maximum(1, np.abs(scaled))).all())


def exact_choice(site: Site) -> Choice | None:
    """Give the choice at which nothing of a population is rounded; None where there is none."""
    return unchanged(site) or rescaled(site)


def unchanged(site: Site) -> Choice | None:
    """Give the choice that takes a population as it is, at a scale of 1; None where it cannot be.

    Parameters
    ----------
    site : Site

    Returns
    -------
    Choice or None
        None where a weight does not fit the bits asked for or something is not whole.
    """
    if not site.integers and not _is_whole(site):
        return None
    return _held(site, 1.0)


def rescaled(site: Site) -> Choice | None:
    """Give the finest choice at which weights, threshold and bias are whole; None if none is."""
    for factor in common_scales(site):
        steps = [
            grid.fitting_step(weight * factor)
            for grid, weight in zip(site.grids, site.weights, strict=True)
        ]
        choice = finest(site, factor, steps)
        held = _held(site, choice.factor)
        if held is not None and _constants_whole(site, choice.factor):
            return held
    return None


def common_scales(site: Site) -> list[float]:
    """Scales, but for powers of two, at which all weights of a population are whole numbers."""
    units = [(index, _unit(site, index)) for index in range(len(site.weights))]
    units = [(index, unit) for index, unit in units if unit != 0]
    if not units or any(unit is None for _, unit in units):
        return []
    index, unit = units[0]
    assert unit is not None
    grid, largest = site.grids[index], float(np.abs(site.weights[index]).max())
    most = int(max(-grid.low, grid.high) * unit / largest * (1 + TOLERANCE))
    found = []
    for multiple in range(1, most + 1, 2):
        factor = multiple / unit
        power_of_two = np.log2(factor) % 1 == 0
        if (site.config.scale == "free" or power_of_two) and all(
            np.isfinite(largest_step(site.weights[other] * factor)) for other, _ in units
        ):
            found.append(factor)
    return found


def largest_step(values: Doubles) -> float:
    """Largest s so that values are multiples of 2^s; -inf if all are 0, nan if there is none.

    None either where the largest value has more than `WIDEST` bits then.
    """
    used = np.abs(values[values != 0])
    if not used.size:
        return -np.inf
    first = int(np.floor(np.log2(used.min()) + TOLERANCE))
    for step in range(first, int(np.floor(np.log2(used.max()))) - WIDEST, -1):
        if whole(used[:SAMPLED], 2.0**step) and whole(used, 2.0**step):
            return float(step)
    return np.nan


def _unit(site: Site, index: int) -> float | None:
    """Largest number of which all weights of a projection are multiples that its grid holds.

    0 if all weights are 0, None if there is no such number.
    """
    used = np.abs(site.weights[index][site.weights[index] != 0])
    if not used.size:
        return 0.0
    grid, largest = site.grids[index], float(used.max())
    for multiple in range(1, max(-grid.low, grid.high) + 1):
        unit = largest / multiple
        if whole(used[:SAMPLED], unit) and whole(used, unit):
            return unit
    return None


def _is_whole(site: Site) -> bool:
    """Whether a float population holds what a chip's integers are."""
    neuron, shape = site.neuron, site.shape
    keeps = (neuron.current_keep, neuron.voltage_keep)
    decays = (shape.current_decay, shape.voltage_decay)
    for keep, decay in zip(keeps, decays, strict=True):
        exact = (1 - np.asarray(keep, np.float64)) * DECAY_UNITY
        if np.abs(exact - decay).max() > TOLERANCE * DECAY_UNITY:
            return False
    if neuron.sends == "voltage":
        least = max((float(np.abs(weight).max(initial=0)) for weight in site.weights), default=0.0)
    else:
        least = float(shape.threshold.min())
    return least >= LEAST_WHOLE and _constants_whole(site, 1.0)


def _constants_whole(site: Site, factor: float) -> bool:
    """Whether threshold, bias and drive are whole at a scale, and within what the chip holds."""
    neuron, shape = site.neuron, site.shape
    limits = [(shape.bias, BIAS_MAX), (shape.drive, (1 << WEIGHT_BITS) - 1)]
    if neuron.sends != "voltage":
        limits.append((shape.threshold, THRESHOLD_MAX))
    return all(
        whole(values * factor) and np.abs(values * factor).max() <= limit + 0.5
        for values, limit in limits
    )


def _held(site: Site, factor: float) -> Choice | None:
    """Give steps at which all weights are held as they are, each by one synapse; or None."""
    steps = [largest_step(weight * factor) for weight in site.weights]
    if any(np.isnan(step) or -np.inf < step < 0 for step in steps):
        return None
    chosen = []
    for index, step in enumerate(steps):
        number = 0 if not np.isfinite(step) else int(step)
        number = min(number, site.last_step(index, factor, number))
        mantissa = site.rounded(index, factor, number)
        if site.grids[index].beyond(mantissa).any() or not np.array_equal(
            mantissa << number, np.rint(site.weights[index] * factor)
        ):
            return None
        chosen.append(number)
    return Choice(factor, tuple(chosen))
