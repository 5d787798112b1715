"""What goes wrong, and what was called."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Faults:
    """What the stand-in does wrong, and the figures that it makes up.

    Attributes
    ----------
    input_lag, output_lag : int
        Steps by which the adapters are late.
    static_watts, dynamic_watts, noise_watts : float
        Of the made-up meter.
    step_microseconds : float
    chips : int
        Chips that the made-up activity is spread over.
    ends_at_run, hangs_at_run : int
        Run of the chip, from 1 on, in which the process dies or stops answering; 0 for none.
    """

    input_lag: int = 0
    output_lag: int = 0
    static_watts: float = 1.0
    dynamic_watts: float = 0.25
    noise_watts: float = 0.001
    step_microseconds: float = 20.0
    chips: int = 1
    ends_at_run: int = 0
    hangs_at_run: int = 0
    adapter_dies: bool = False
    missing_lava_loihi: bool = False
    no_cyclic_buffer: bool = False
    no_nxcore: bool = False
    loses_messages: bool = False
    empty_state_probe: bool = False
    empty_power: bool = False
    empty_time: bool = False
    empty_activity: bool = False
    wrong_shape: bool = False
    compiler_fails: str = ""


@cache
def faults() -> Faults:
    """The faults that the environment asks for."""
    from . import FAULTS

    return Faults(**json.loads(os.environ.get(FAULTS, "{}")))


def called(what: str, **details: Any) -> None:
    """Note a call, one JSON object a line."""
    from . import CALLS

    if path := os.environ.get(CALLS):
        with Path(path).open("a") as file:
            file.write(json.dumps({"what": what, **details}, default=str) + "\n")
