"""Scales and steps without running anything: largest weight, percentile, least square error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .exact import common_scales, exact_choice
from .scale_choice import SYNAPSE_PRICE, Choice, Site, finest

MANTISSAS = 32
"""Scales tried in each octave."""

OCTAVES = 9
"""Steps tried below the one at which the largest weight fits."""


def mantissas(site: Site, method: str = "mse") -> NDArray[np.float64]:
    """Scales within an octave: those that use the range of weights or states fully, and others."""
    if site.config.scale == "power-of-two":
        return np.ones(1)
    own = [
        2.0 ** -(s - np.floor(s))
        for weight, grid in zip(site.weights, site.grids, strict=True)
        if np.isfinite(s := grid.fitting_step(weight))
    ]
    if np.isfinite(site.largest):
        own.append(2.0 ** (np.log2(site.largest) % 1 - 1))
    if method == "max" and own:
        return np.unique(np.asarray(own, np.float64))
    own += [2.0 ** (np.log2(factor) % 1 - 1) for factor in common_scales(site)]
    even = 2.0 ** -(np.arange(MANTISSAS) / MANTISSAS)
    found: NDArray[np.float64] = np.unique(np.concatenate([own, even]))
    return found


def choose_scale(site: Site, method: str) -> Choice:
    """Choose scale and steps of a population.

    Of several scales the one with the least square error of the current, in the float network's
    unit; of equal ones the largest.

    Parameters
    ----------
    site : Site
    method : {"max", "percentile", "mse"}
    """
    held = exact_choice(site)
    if held is not None:
        return held
    best, least = None, np.inf
    for factor in mantissas(site, method)[::-1]:
        steps = [_step(site, index, factor, method) for index in range(len(site.feeds))]
        choice = finest(site, float(factor), steps)
        error = squared_error(site, choice)
        if best is None or error < least * (1 - 1e-9):
            best, least = choice, error
    assert best is not None
    return best


def candidates(site: Site, count: int) -> Iterator[Choice]:
    """Choices with the least square errors, and their neighbours in each step; no two alike.

    Where nothing need be rounded that choice alone.
    """
    held = exact_choice(site)
    if held is not None:
        yield held
        return
    found: dict[Choice, float] = {}
    for factor in mantissas(site)[::-1]:
        steps = [_step(site, index, factor, "mse") for index in range(len(site.feeds))]
        near = [steps]
        for index, step in enumerate(steps):
            if np.isfinite(step):
                near += [[*steps[:index], step + by, *steps[index + 1 :]] for by in (-1, 1)]
        for some in near:
            choice = finest(site, float(factor), some)
            found[choice] = squared_error(site, choice)
    yield from sorted(found, key=lambda c: (found[c], c.factor, c.steps))[:count]


def squared_error(site: Site, choice: Choice) -> float:
    """Square error of the current of all neurons, in the float network's unit.

    Each weight's error squared times the mean square of its source's messages where calibration
    inputs tell, else plainly.
    """
    total = 0.0
    for index, step in enumerate(choice.steps):
        mantissa = site.rounded(index, choice.factor, step)
        error = mantissa * (2.0**step / choice.factor) - site.weights[index]
        total += _power(site, index, error)
        if site.splits[index] and site.added(index, mantissa) > site.config.split:
            total = np.inf
    return total * site.price(choice) ** 2


def _power(site: Site, index: int, error: NDArray[np.float64]) -> float:
    square = error**2
    if site.calibration is None:
        return float(square.sum())
    rates = site.calibration.rates(site.sources[index])
    if square.ndim == 2 and square.shape[1] == rates.size:
        return float((square @ rates).sum())
    return float(square.sum() * rates.mean())  # kernels meet all neurons alike


def _step(site: Site, index: int, factor: float, method: str) -> float:
    """Step of a projection's weights at a scale, -inf if all are zero."""
    weight, grid = site.weights[index], site.grids[index]
    scaled = weight * factor
    if grid.binary and weight.any():
        # The step nearest to the mean: the best binary weight is the mean of the absolute ones.
        return float(np.rint(np.log2(np.abs(scaled[scaled != 0]).mean())))
    fits = grid.fitting_step(scaled)
    if not np.isfinite(fits):
        return fits
    if method == "max":
        return fits
    if method == "percentile":
        used = np.abs(scaled[scaled != 0])
        return grid.fitting_step(scaled, float(np.percentile(used, site.config.percentile)))
    best, least = np.ceil(fits), np.inf
    for step in np.ceil(fits) - np.arange(OCTAVES):
        mantissa = site.rounded(index, factor, step)
        added = site.added(index, mantissa) if site.splits[index] else 0.0
        if added > site.config.split:
            break
        error = _power(site, index, (mantissa * 2.0**step - scaled) / factor)
        error *= (1 + added) ** (2 * SYNAPSE_PRICE)
        if error < least:
            best, least = step, error
    return float(best)
