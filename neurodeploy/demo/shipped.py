"""The trained digits network that comes with neurodeploy, for where nothing can be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError
from ..signals import read_inputs

_PLACES = (
    Path(__file__).parent / "data",  # in an installed wheel
    Path(__file__).parents[2] / "netx_exports",  # in a clone
)


@dataclass(frozen=True, eq=False)
class Shipped:
    """The network's file, its spike-encoded test images, and its weights before quantization.

    Attributes
    ----------
    network : Path
    inputs : uint8 [samples, steps, 64]
    labels : int64 [samples]
    float_weights : dict of population name to float32 [targets, sources]
    """

    network: Path
    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]
    float_weights: dict[str, NDArray[np.float32]]


def shipped_digits() -> Shipped:
    """Find the files that ``netx_exports/train_digits.py`` made.

    Raises
    ------
    BackendError
        If this installation lacks them.
    """
    for place in _PLACES:
        if (place / "digits.net").is_file():
            inputs, labels = read_inputs(place / "digits_test.npz")
            assert labels is not None
            with np.load(place / "digits_float.npz", allow_pickle=False) as archive:
                float_weights = {name: archive[name] for name in archive.files}
            return Shipped(place / "digits.net", inputs, labels, float_weights)
    raise BackendError("digits.net: not in this installation; install neurodeploy again")
