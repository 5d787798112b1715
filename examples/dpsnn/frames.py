"""Sizes that sound, network and evaluation share; needs no torch."""

RATE = 16000
SIZE, STRIDE = 80, 40
"""Samples of a frame (5 ms) and of a hop (2.5 ms)."""

TAPS = 5
"""Frames that the temporal path sees at once: this one and four past."""

EPSILON = 1e-5
"""Added to the variance of a frame's channels; silence has none."""
