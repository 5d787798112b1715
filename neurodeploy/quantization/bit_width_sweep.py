"""One network at several bit widths: accuracy against memory and energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network
from .config import QuantConfig
from .costs import ChipName, Costs, Meter
from .quantize_network import quantize

Progress = Callable[[int, int], None]
"""Called after each width with (how many are done, how many there are)."""

FineTune = Callable[..., Any]
"""`training.fine_tune`: that room stands above this one, and needs torch."""


@dataclass(frozen=True)
class SweepRow:
    """One network of a sweep.

    Attributes
    ----------
    bits : int or "ternary"
    tuned : bool
        Whether it was fine-tuned.
    costs : Costs
    """

    bits: int | str
    tuned: bool
    costs: Costs

    @property
    def right(self) -> float:
        """Accuracy where there are labels, else agreement with the original."""
        return self.costs.agreement if self.costs.accuracy is None else self.costs.accuracy


@dataclass(frozen=True)
class Sweep:
    """A network at several widths, measured on the same inputs.

    Attributes
    ----------
    rows : tuple of SweepRow
        Wide before narrow, as given; rounded before fine-tuned.
    samples, steps : int
        Of the inputs measured on.
    calibrated : int
        Samples that scales were chosen, and weights tuned, on.
    held_out : bool
        Whether the inputs measured on are others than those.
    chip : str
        Name of the chip whose memory and energy these are.
    original_accuracy : float or None
        Of the network that was rounded; None without labels.
    """

    rows: tuple[SweepRow, ...]
    samples: int
    steps: int
    calibrated: int
    held_out: bool
    chip: str
    original_accuracy: float | None

    @property
    def front(self) -> tuple[SweepRow, ...]:
        """Rows of which none other is at least as right with less synaptic memory."""
        best: list[SweepRow] = []
        for row in sorted(self.rows, key=lambda r: (r.costs.memory_bits, -r.right)):
            if not best or row.right > best[-1].right:
                best.append(row)
        return tuple(best)

    def as_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        front = self.front
        plain = {**asdict(self)}
        plain["rows"] = [{**asdict(row), "on_front": row in front} for row in self.rows]
        return plain


def sweep(
    network: Network,
    widths: Sequence[int | str],
    calibration: NDArray[Any],
    *,
    config: QuantConfig | None = None,
    tests: NDArray[Any] | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    fine_tune: FineTune | None = None,
    calibration_labels: NDArray[np.integer[Any]] | None = None,
    epochs: int = 4,
    chip: ChipName = "loihi2",
    progress: Progress | None = None,
) -> Sweep:
    """Round a network to several widths and measure each.

    Parameters
    ----------
    network : Network
        In float32, or in integers.
    widths : sequence of int or "ternary"
        See `QuantConfig.bits`.
    calibration : array [samples, steps, *input shape]
        Scales are chosen on these, and weights fine-tuned.
    config : QuantConfig, optional
        Everything else than `bits` and `population_bits`.
    tests : array [samples, steps, *input shape], optional
        What is measured on; the calibration inputs where there are none.
    labels : integer array [samples], optional
        Right outputs of what is measured on.
    fine_tune : callable, optional
        `training.fine_tune`, which needs torch: measure each width once more after it.
    calibration_labels : integer array [samples], optional
        For fine-tuning; without them the float network teaches.
    epochs : int
        Of fine-tuning.
    chip : str, path or Chip
    progress : callable, optional

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        If no width or one twice is given, or inputs and labels do not fit.
    """
    config = config or QuantConfig()
    if not widths or len(set(widths)) < len(widths):
        raise InputError(f"sweep: bits {', '.join(map(str, widths))}; name each width once")
    configs = [replace(config, bits=bits, population_bits=()) for bits in widths]
    meter = Meter(network, calibration if tests is None else tests, labels, chip)
    rows = []
    for done, some in enumerate(configs, start=1):
        rows.append(SweepRow(some.bits, False, meter(quantize(network, some, calibration))))
        if fine_tune is not None:
            tuned = fine_tune(network, some, calibration, calibration_labels, epochs=epochs)
            rows.append(SweepRow(some.bits, True, meter(tuned.network)))
        if progress is not None:
            progress(done, len(configs))
    samples, steps = meter.inputs.shape[:2]
    return Sweep(
        tuple(rows), samples, steps, len(calibration), tests is not None, meter.chip.name,
        rows[0].costs.original_accuracy,
    )  # fmt: skip
