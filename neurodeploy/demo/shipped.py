"""The trained digits network that comes with neurodeploy, for where nothing can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError
from ..inputs import read_inputs
from ..network import Dense, FloatLIF, Network, Population, Projection, Source
from ..numpy_files import read_archive

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
            float_weights = read_archive(place / "digits_float.npz", error=BackendError)
            return Shipped(place / "digits.net", inputs, labels, float_weights)
    raise BackendError("digits.net: not in this installation; install neurodeploy again")


def float_digits(float_weights: Mapping[str, NDArray[np.floating[Any]]]) -> Network:
    """The digits network before its weights were rounded, with the neurons of its card.

    Parameters
    ----------
    float_weights : mapping of population name to float array [targets, sources]
        ``0_dense`` and ``1_dense``, as `Shipped.float_weights` and `digits.Trained` hold them.

    Returns
    -------
    Network
        In float32, in units of the integer weights: the threshold is 64.
    """
    neuron = FloatLIF(current_keep=1 - 1024 / 4096, voltage_keep=1 - 205 / 4096, threshold=64.0)
    names = ("0_dense", "1_dense")
    populations = [Population("input", (float_weights[names[0]].shape[1],), Source())]
    projections = []
    for name in names:
        weight = np.asarray(float_weights[name], np.float32)
        projections.append(Projection(populations[-1].name, name, Dense(weight)))
        populations.append(Population(name, (len(weight),), neuron))
    return Network(tuple(populations), tuple(projections))
