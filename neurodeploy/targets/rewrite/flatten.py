"""Weights of a matrix that follows an image, for either order in which an image is laid flat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError

ORDERS = ("CHW", "WHC")
"""Torch, SLAYER and our networks; Lava's images, of which netx turns what it lays flat."""


def columns_in_order(
    weight: NDArray[np.int32], shape: tuple[int, int, int], order: str
) -> NDArray[np.int32]:
    """Put the columns of a dense weight in the order of an image laid flat otherwise.

    Where neuron j of the image in (C, H, W) order stands at place k of the
    other order, column j moves to column k, so that every sum stays the same.

    Parameters
    ----------
    weight : int32 [targets, C * H * W]
        Over the image in (C, H, W) order.
    shape : (int, int, int)
        (C, H, W).
    order : str
        The three letters, slowest axis first, e.g. ``WHC``.

    Returns
    -------
    int32 [targets, C * H * W]

    Raises
    ------
    NetworkError
        If the letters or the numbers of columns are not these.
    """
    size = int(np.prod(shape))
    if sorted(order) != sorted("CHW") or weight.ndim != 2 or weight.shape[1] != size:
        raise NetworkError(
            f"flatten order {order!r} of {shape} for a weight of shape {weight.shape}: needs a "
            f"permutation of CHW and {size} columns"
        )
    places = np.arange(size).reshape(shape).transpose(["CHW".index(axis) for axis in order])
    return weight[:, places.ravel()]
