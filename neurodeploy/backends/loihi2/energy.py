r"""From what the board's meters read to the energy of an inference.

.. math::
    P = \bar P_{total} - (chips - used) \, P_{static} / chips, \qquad
    E = P \cdot slot \cdot t_{step}

after the energy formula of lava-dl's ``pilotnet_snn/benchmark.ipynb``: the
meter reads a whole board, so the static power of chips that the network does
not use is taken off. Dynamic power is what is above the board's static power.
The meter's noise bounds it: lava-dl's own ``pilotnet_sdnn/benchmark.ipynb`` reads
-0.006 W of dynamic power, for a run that waited for its input. Below the noise
there is no energy to report, only the noise as the most that it can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendError

BATCHES = 10
"""Parts of a power series whose means tell its noise: readings that follow each other are alike."""

NOISE_SIGMAS = 2.0
"""Standard errors below which a difference of powers is taken for noise (95 %)."""


@dataclass(frozen=True)
class PowerReading:
    """What the board's meter read during one run.

    Attributes
    ----------
    total, vdd, vddm, vddio : float64 [readings]
        Watts of the whole board: all rails; logic, memory, interfaces.
    static_total : float
        Watts of the board with its network loaded and standing still.
    seconds : float
        How long the run lasted.
    """

    total: NDArray[np.float64]
    vdd: NDArray[np.float64]
    vddm: NDArray[np.float64]
    vddio: NDArray[np.float64]
    static_total: float
    seconds: float

    def as_lists(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> PowerReading:
        """Undo `as_lists`."""
        held: dict[str, Any] = {
            k: np.array(v, np.float64) if isinstance(v, list) else v for k, v in lists.items()
        }
        return cls(**held)

    @property
    def error(self) -> float:
        """Standard error of the mean total power, from the means of `BATCHES` parts."""
        if len(self.total) < 2:
            return float("inf")
        parts = [float(p.mean()) for p in np.array_split(self.total, BATCHES) if len(p)]
        return float(np.std(parts, ddof=1) / np.sqrt(len(parts)))


@dataclass(frozen=True)
class Measured:
    """Figures for a recording's header, and what must be said of them.

    Attributes
    ----------
    figures : dict of str to float
        In SI units, energies per inference.
    warnings : tuple of str
    """

    figures: dict[str, float]
    warnings: tuple[str, ...]


def energy(
    readings: Sequence[PowerReading],
    *,
    seconds_per_step: float,
    slot: int,
    board_chips: int | None,
    used_chips: int,
    idle_watts: float | None,
    wanted_seconds: float,
) -> Measured:
    """Energy of an inference from repeated measurements.

    Parameters
    ----------
    readings : sequence of PowerReading
        One of each repeat, warm-up left out; the median counts.
    seconds_per_step : float
        Measured without the power probe.
    slot : int
        Chip steps from one inference to the next.
    board_chips : int or None
        Chips that the meter covers; None where nobody knows.
    used_chips : int
        Chips that the network is on.
    idle_watts : float or None
        Of the board without a network, where that was measured.
    wanted_seconds : float
        Shortest run that is trusted.

    Raises
    ------
    BackendError
        If a meter's figures are none.
    """
    for reading in readings:
        series = np.concatenate([reading.total, [reading.static_total]])
        if not len(reading.total) or not np.all(np.isfinite(series)) or np.any(series < 0):
            raise BackendError(
                "power probe: no readings, or none that are powers; look whether the board has a "
                "meter and whether another run is using it"
            )
    warnings = []
    means = np.array([float(r.total.mean()) for r in readings])
    middle = readings[int(np.argsort(means)[len(means) // 2])]
    board = float(np.median(means))
    static_board = float(np.median([r.static_total for r in readings]))
    drift = 0.0 if idle_watts is None else abs(static_board - idle_watts)
    spread = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    error = max(float(np.median([r.error for r in readings])), spread)
    noise = NOISE_SIGMAS * float(np.hypot(error, drift))
    unused = 0.0
    if board_chips is None:
        warnings.append(
            "the static power is the whole board's: how many chips it has is not known; give "
            "chips_on_board"
        )
    else:
        # A board that was measured idle when it was warmer must not make used chips give power.
        baseline = static_board if idle_watts is None else min(idle_watts, static_board)
        unused = baseline * max(0, board_chips - used_chips) / board_chips
    dynamic = board - static_board
    seconds = slot * seconds_per_step
    figures = {
        "energy_joules": (board - unused) * seconds,
        "static_joules": (static_board - unused) * seconds,
        "seconds_per_step": seconds_per_step,
        "seconds_per_inference": seconds,
        "steps_per_inference": float(slot),
        "watts": board - unused,
        "static_watts": static_board - unused,
        "vdd_watts": float(middle.vdd.mean()),
        "vddm_watts": float(middle.vddm.mean()),
        "vddio_watts": float(middle.vddio.mean()),
        "board_watts": board,
        "window_seconds": float(np.median([r.seconds for r in readings])),
        "repeats": float(len(readings)),
        "used_chips": float(used_chips),
    }
    if idle_watts is not None:
        figures["idle_watts"] = idle_watts
    if board_chips is not None:
        figures["board_chips"] = float(board_chips)
    if np.isfinite(noise):
        figures["noise_watts"] = noise
    if not np.isfinite(noise):
        warnings.append(
            "the meter gave a single reading, so its noise is not known: no dynamic energy is "
            "reported; give a longer window_seconds"
        )
    elif dynamic > noise:
        figures["dynamic_watts"] = dynamic
        figures["dynamic_joules"] = dynamic * seconds
    else:
        figures["dynamic_joules_at_most"] = (max(dynamic, 0.0) + noise) * seconds
        warnings.append(
            f"dynamic power {dynamic:.3g} W is below the meter's noise of {noise:.3g} W: no "
            f"dynamic energy is reported, at most {figures['dynamic_joules_at_most']:.3g} J an "
            f"inference"
        )
    if figures["window_seconds"] < wanted_seconds:
        warnings.append(
            f"power was read for {figures['window_seconds']:.3g} s only, less than "
            f"{wanted_seconds:g} s: too short to be meaningful"
        )
    return Measured(figures, tuple(warnings))
