"""Limits of fan-in and of synaptic memory, kept by pruning the smallest weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mask_of_largest(weight: NDArray[Any], most: int) -> NDArray[np.bool_]:
    """Which weights of each target (first axis) are among its `most` largest absolute ones.

    Of equal ones the first, in (C, H, W) order of the sources.

    Parameters
    ----------
    weight : float array [targets, ...]
    most : int

    Returns
    -------
    bool array of weight's shape
    """
    flat = np.abs(weight).reshape(len(weight), -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    keep = np.zeros(flat.shape, bool)
    np.put_along_axis(keep, order[:, : max(most, 0)], True, axis=1)
    kept: NDArray[np.bool_] = (keep & (flat != 0)).reshape(weight.shape)
    return kept
