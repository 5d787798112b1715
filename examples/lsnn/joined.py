"""The same network with compartments that join in one step, as on Loihi 1, in plain NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .network import COST, FINER, LEAK, LEAKY, SLOW_LEAK, THRESHOLD, UNIT, weights


def joined(folder: Path, spikes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Voltages [images, digits] of the readout after the last step."""
    held = {name: array.T.astype(np.float64) for name, array in weights(folder).items()}
    count, size = len(spikes), len(held["w_rec"])
    factor = np.full(size, UNIT, np.int64)
    factor[LEAKY:] *= FINER
    v, sent = np.zeros((2, count, size), np.int64)
    adaptation = np.zeros((count, size - LEAKY), np.int64)
    read = np.zeros((count, held["w_out"].shape[1]), np.int64)
    for now in spikes.swapaxes(0, 1):
        # Sums of whole numbers below 2^53 are exact in float64, whose products are faster.
        current = (now @ held["w_in"] + sent @ held["w_rec"]).astype(np.int64) * factor
        read = _shrunk(read, LEAK) + (sent @ held["w_out"]).astype(np.int64) * UNIT
        adaptation = _shrunk(adaptation, SLOW_LEAK) - COST * sent[:, LEAKY:]
        current[:, LEAKY:] += adaptation
        v = _shrunk(v, LEAK) + current
        sent = (v > THRESHOLD * factor).astype(np.int64)
        v *= 1 - sent
    return read


def _shrunk(state: NDArray[np.int64], decay: int) -> NDArray[np.int64]:
    """A state after its leak, rounded towards zero."""
    return np.sign(state) * (np.abs(state) * (4096 - decay) >> 12)
