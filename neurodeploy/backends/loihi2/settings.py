"""What a user may say about the chip: where it is, how to present samples, what to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...errors import InputError

GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")
"""Loihi 2's; ``lava.utils.loihi.ChipGeneration`` of lava-nc 0.10.0."""

BOARD_CHIPS = {"oheogulch": 1, "kp": 8, "kapohopoint": 8, "nahuku08": 8, "nahuku32": 32}
"""Chips on a board, by what a partition's name begins with.

``kp``, ``nahuku08`` and ``nahuku32``: benchmark scripts that run on them; Oheo Gulch
and Kapoho Point: Intel's Loihi 2 technology brief.
"""

_TRUE, _FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


@dataclass(frozen=True)
class ChipSettings:
    """Settings of a run on the chip.

    Attributes
    ----------
    partition, board : str or None
        Of SLURM; give one of them.
    address : str or None
        Of a host that is reached over Ethernet, instead of SLURM.
    host_binary : str or None
        Path of ``nx_driver_server`` on that host.
    generation : str
        Of `GENERATIONS`.
    chips_on_board : int or None
        Powered beside those in use: their static power is taken off. By
        default by the partition's name, see `BOARD_CHIPS`.
    back_to_back : bool or None
        Run samples one after the other, separated by resets. None: where it
        is exact (see `schedule.carried_over`), else one sample at a time.
    input_lag, output_lag : int or None
        Steps by which the adapters are late; None has them measured.
    measure : bool
        Whether to measure time, power, memory and activity.
    window_seconds : float
        How long a power measurement is at least.
    repeats : int
        Power measurements; their median counts.
    """

    partition: str | None = None
    board: str | None = None
    address: str | None = None
    host_binary: str | None = None
    generation: str = "N3B3"
    chips_on_board: int | None = None
    back_to_back: bool | None = None
    input_lag: int | None = None
    output_lag: int | None = None
    measure: bool = True
    window_seconds: float = 10.0
    repeats: int = 5

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> ChipSettings:
        """Read settings by name, also from text as the shell has it.

        Raises
        ------
        InputError
            Naming the setting, its value and what it may be.
        """
        kinds = {f.name: str(f.type) for f in fields(cls)}
        read: dict[str, Any] = {}
        for name, value in (values or {}).items():
            if name not in kinds:
                raise InputError(f"chip setting {name!r}: unknown; there are {', '.join(kinds)}")
            read[name] = _of_kind(name, kinds[name], value)
        settings = cls(**read)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.generation not in GENERATIONS:
            raise InputError(
                f"chip setting generation={self.generation!r}: unknown; there are "
                f"{', '.join(GENERATIONS)}"
            )
        if self.address and (self.partition or self.board):
            raise InputError(
                f"chip setting address={self.address!r}: over Ethernet there is no SLURM; leave "
                f"partition and board out"
            )
        for name, least in (
            ("chips_on_board", 1),
            ("input_lag", 0),
            ("output_lag", 0),
            ("repeats", 1),
            ("window_seconds", 0),
        ):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise InputError(f"chip setting {name}={value}: give at least {least}")
        if (self.input_lag is None) != (self.output_lag is None):
            raise InputError("chip settings input_lag and output_lag: give both or none")

    @property
    def board_chips(self) -> int | None:
        """Chips on the board, or None where nobody said."""
        if self.chips_on_board is not None:
            return self.chips_on_board
        names = [n for n in BOARD_CHIPS if self.partition and self.partition.startswith(n)]
        return BOARD_CHIPS[max(names, key=len)] if names else None


def _of_kind(name: str, kind: str, value: Any) -> Any:
    if value is None or (value == "auto" and "None" in kind):
        return None
    try:
        if kind.startswith("bool"):
            text = str(value).lower()
            if text not in (*_TRUE, *_FALSE):
                raise ValueError
            return text in _TRUE
        if kind.startswith("int"):
            if float(value) != int(value):
                raise ValueError
            return int(value)
        if kind.startswith("float"):
            return float(value)
    except (TypeError, ValueError):
        wanted = {"b": "yes or no", "i": "a whole number", "f": "a number"}[kind[0]]
        raise InputError(f"chip setting {name}={value!r}: give {wanted}") from None
    return str(value)
