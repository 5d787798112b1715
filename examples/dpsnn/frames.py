"""Sizes that sound, network and evaluation share; needs no torch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from neurodeploy.errors import NeurodeployError

RATE = 16000
SIZE, STRIDE = 80, 40
"""Samples of a frame (5 ms) and of a hop (2.5 ms)."""

TAPS = 5
"""Frames that the temporal path sees at once: this one and four past."""

EPSILON = 1e-5
"""Added to the variance of a frame's channels; silence has none."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End with status 2 and a line in place of a traceback where the input is at fault."""
    try:
        yield
    except (NeurodeployError, OSError) as error:
        print(f"dpsnn: {error}", file=sys.stderr)
        sys.exit(2)
