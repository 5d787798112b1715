"""How far two recordings may lie apart and still pass."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import InputError


@dataclass(frozen=True)
class Tolerances:
    """How far two recordings may lie apart and still pass; by default not at all.

    Once any of them is set, only what they name is judged: states of two runs
    whose spikes may differ are not held to equality unless `state_error` says so.

    Attributes
    ----------
    spike_difference : float or None
        Share of a population's messages that may find no partner on the other
        side, 0..1: ``1 - coincidence_rate``.
    steps : int
        Steps that two messages of a neuron may lie apart and still be partners.
    state_error : float or None
        Largest difference of u and v, in the state's own unit.
    decision_difference : float or None
        Share of samples whose decision may differ, 0..1.

    Raises
    ------
    InputError
        If one is out of range.
    """

    spike_difference: float | None = None
    steps: int = 0
    state_error: float | None = None
    decision_difference: float | None = None

    def __post_init__(self) -> None:
        for name in ("spike_difference", "decision_difference"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"tolerance {name}: {value}; give a share from 0 to 1")
        if self.steps < 0 or (self.state_error is not None and not self.state_error >= 0):
            raise InputError("tolerances of steps and states cannot be negative")

    @property
    def given(self) -> bool:
        """Whether anything but equality is allowed."""
        return any(getattr(self, field.name) != field.default for field in fields(self))


EQUALITY = Tolerances()
"""Nothing may differ."""
