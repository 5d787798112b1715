"""Networks in integers to fewer bits of a weight, every neuron staying exactly what it is.

For neurons that have no float form here (sigma-delta, resonators, ALIF, graded spikes, ...) scales
cannot be chosen freely: thresholds, biases and payloads fix them. So weights alone are rounded, on
the scale that they have: to mantissas of fewer bits times a power of two, which the chip's weight
exponent holds. Every synapse operator with weights can be.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Audit, AuditEntry, Network, Projection, Rating
from ..network.synapses.kernel import kernels_of
from .config import QuantConfig
from .exact import largest_step
from .float_form import why_not_float
from .scale_choice import SYNAPSE_PRICE
from .weights import Grid, coarse_synapse

CLIPPED = "quantize/clipped/"
"""Starts the name of a fact: how many weights of a projection lie beyond what is held."""

Rates = NDArray[np.float64]


def round_weights_only(
    network: Network, config: QuantConfig, inputs: NDArray[Any] | None
) -> Network:
    """Round the weights of a network in integers to fewer bits.

    Of the steps that a projection's weights can have, the one of least square error is taken,
    weighted by the mean square of each source's messages where there are calibration inputs.

    Parameters
    ----------
    network : Network
        In integers, any neurons.
    config : QuantConfig
        `bits`, `population_bits`, `method`, `percentile`, `split`, `exponents` count here.
    inputs : array [samples, steps, *input shape] or None

    Returns
    -------
    Network
        Its audit says what each projection lost.

    Raises
    ------
    UnsupportedError
        If the configuration asks for what needs a float form, or weights overflow.
    """
    for what in config.needing_inputs:
        neuron = why_not_float(network) or network.output.name
        raise UnsupportedError(
            f"{what}: population {neuron!r} keeps its integers, since its neurons or synapses "
            f"have no float form to choose scales against; leave it out"
        )
    rates = {} if inputs is None else _rates(network, inputs)
    projections: list[Projection] = []
    facts = {k: v for k, v in network.metadata.items() if not k.startswith(CLIPPED)}
    entries = [
        AuditEntry(p.name, Rating.FAITHFUL,
                   "input port" if p.neuron.is_port else f"{p.neuron.kind} as it was")
        for p in network.populations
    ]  # fmt: skip
    for projection in network.projections:
        made, entry, clipped = _round_projection(projection, config, rates.get(projection.source))
        projections += made
        entries.append(entry)
        if clipped:
            facts[f"{CLIPPED}{projection.name}"] = clipped
    return Network(network.populations, tuple(projections), Audit(tuple(entries)), facts)


def _rates(network: Network, inputs: NDArray[Any]) -> dict[str, Rates]:
    """Mean square of each neuron's messages."""
    from ..backends import run

    recording = run(network, inputs, record=("spikes",))
    found = {}
    for population in network.populations:
        sent = recording[population.name].spikes.astype(np.float64)
        found[population.name] = (sent**2).mean(axis=(0, 1)).ravel()
    return found


def _round_projection(
    projection: Projection, config: QuantConfig, rates: Rates | None
) -> tuple[list[Projection], AuditEntry, int]:
    """A projection rounded, what the audit says of it, and how many weights were clipped."""
    synapse, bits = projection.synapse, config.bits_of(projection.target)
    if not synapse.steps:
        return [projection], AuditEntry(projection.name, Rating.FAITHFUL, "read by the host"), 0
    errors: list[tuple[float, float]] = []
    coarse: list[bool] = []
    clipped: list[int] = []

    def rounded(weight: NDArray[Any], part: int) -> NDArray[np.int32]:
        """Fine (0) or coarse (1) part of weights."""
        # A second kernel for a few weights would be stored whole.
        splits = 0.0 if kernels_of(synapse) else config.split
        step, mantissa, grid = _best(projection, weight, bits, config, splits, rates)
        fine, more = mantissa, np.zeros_like(mantissa)
        if grid.beyond(mantissa).any():
            fine, more = grid.parts(mantissa)
            more = more << grid.shift(mantissa)
            coarse.append(True)
        if not part:
            error = (mantissa << step) - weight
            errors.append((float((error**2).sum()), float((weight.astype(float) ** 2).sum())))
            clipped.append(_clipped(weight, mantissa, step, grid))
        return ((more if part else fine) << step).astype(np.int32)

    if not synapse.arrays():
        raise UnsupportedError(f"{synapse.kind} synapses: hold no weights to round")
    made = [replace(projection, synapse=synapse.with_arrays(lambda w: rounded(w, 0)))]
    if coarse:
        if len(synapse.arrays()) > 1:
            second = synapse.with_arrays(lambda w: rounded(w, 1))
        else:
            second = coarse_synapse(synapse, rounded(synapse.only_array, 1))
        made.append(replace(projection, synapse=second))
    lost, power = (sum(values) for values in zip(*errors, strict=True))
    relative = (lost / power) ** 0.5 if power else 0.0
    width = bits if isinstance(bits, str) else f"{bits} bits"
    reason = f"{synapse.kind} weights to {width}, off by {relative:.2%} (rms)"
    if any(clipped):
        reason += f"; {sum(clipped)} clipped"
    if coarse:
        reason += "; some by two synapses each"
    rating = Rating.APPROXIMATE if lost else Rating.FAITHFUL
    return made, AuditEntry(projection.name, rating, reason), sum(clipped)


def _clipped(weight: NDArray[Any], mantissa: NDArray[np.int64], step: int, grid: Grid) -> int:
    """How many weights are further off than rounding alone makes them."""
    if grid.binary:
        return 0
    return int(np.count_nonzero(np.rint(weight / 2.0**step) != mantissa))


def _best(
    projection: Projection,
    weight: NDArray[Any],
    bits: int | str,
    config: QuantConfig,
    split: float,
    rates: Rates | None,
) -> tuple[int, NDArray[np.int64], Grid]:
    """Step, mantissas and grid of one array of weights."""
    exact = weight.astype(np.float64)
    grid = Grid.of(exact, bits)
    fits = grid.fitting_step(exact)
    first = int(np.ceil(fits - 1e-9)) if np.isfinite(fits) else 0
    mixed = grid.low < 0 < grid.high
    least = 0 if config.exponents else int(mixed)
    last = grid.last_step if config.exponents else grid.base
    if max(first, least) > last:
        raise UnsupportedError(
            f"projection {projection.name}: weights up to {np.abs(exact).max():g} do not fit "
            f"{bits} bits at any {'exponent' if config.exponents else 'step within -256..254'}; "
            f"allow more bits"
        )
    kept = largest_step(exact)
    if np.isfinite(kept) and kept >= 0:  # what the bits hold as it is stays as it is
        step = min(int(kept), last)
        mantissa = grid.mantissas(exact, step, split=False)
        if np.array_equal(mantissa << step, weight):
            return step, mantissa, grid
    method = "mse" if config.method == "auto" else config.method
    if grid.binary and exact.any():
        steps = [int(np.rint(np.log2(np.abs(exact[exact != 0]).mean())))]
    elif method == "percentile" and exact.any():
        used = float(np.percentile(np.abs(exact[exact != 0]), config.percentile))
        steps = [int(np.ceil(grid.fitting_step(exact, used) - 1e-9))]
    else:
        steps = [first] if method == "max" else list(range(max(first, least), -1, -1))
    found = None
    for step in sorted({min(max(step, least), last) for step in steps}, reverse=True):
        mantissa = grid.mantissas(exact, step, bool(split))
        added = int(grid.beyond(mantissa).sum()) / max(1, int(np.count_nonzero(exact)))
        if found is not None and (added > split or step + grid.shift(mantissa) > last):
            continue
        if added > split:
            mantissa, added = grid.mantissas(exact, step, split=False), 0.0
        error = (mantissa * 2.0**step - exact) ** 2
        if rates is not None and error.ndim > 1 and error.shape[-1] == rates.size:
            error = error * rates
        lost = float(error.sum()) * (1 + added) ** (2 * SYNAPSE_PRICE)
        if found is None or lost < found[0]:
            found = (lost, step, mantissa)
    assert found is not None
    return found[1], found[2], grid
