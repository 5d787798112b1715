"""What every synapse operator can say about itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..fields import Declared

Shape = tuple[int, ...]
"""(neurons,) or (channels, height, width)."""

Pair = tuple[int, int]
"""In (height, width) order."""


@dataclass(frozen=True)
class Incoming:
    """Synapses into one neuron, an entry for each.

    Attributes
    ----------
    source : int64 [synapses]
        Source neuron, flat in (C, H, W) order.
    index : int64 [synapses]
        Place in the operator's flattened weight; of a convolution several neurons share one.
    lag : int64 [synapses]
        Steps from the source's message to the neuron's input.
    """

    source: NDArray[np.int64]
    index: NDArray[np.int64]
    lag: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Synapse(Declared):
    """Base of all synapse operators.

    Attributes
    ----------
    kind : str
        The operator's short name in tables and files.
    steps : int
        Time steps from the source's message to the target's input.
    ports : int
        Currents it delivers to each target neuron: 1, or 2 for a real and an
        imaginary part.
    rows_are : {"targets", "channels", ""}
        What the first axis of ``weight`` counts, if it counts on the target's side.
    """

    rows_are: ClassVar[str] = ""
    kind: ClassVar[str] = "synapse"
    steps: ClassVar[int] = 1
    ports: ClassVar[int] = 1

    @property
    def label(self) -> str:
        """What an error calls it."""
        return f"{self.kind} synapses"

    @property
    def is_float(self) -> bool:
        """Whether it has weights that are no integers."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Synapse):
                if value.is_float:
                    return True
            elif np.asarray(value).dtype.kind == "f":
                return True
        return False

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """Make sure that the operator leads from one shape to the other.

        Parameters
        ----------
        source_shape, target_shape : tuple of int

        Raises
        ------
        NetworkError
            With the reason; `Network` adds which projection it is.
        """

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """Synapses that one message of each source neuron reaches.

        Parameters
        ----------
        source_shape : tuple of int
        dense : bool
            Count synapses of weight zero too.

        Returns
        -------
        int64 [source neurons], flat in (C, H, W) order
        """
        return np.zeros(size_of(source_shape), np.int64)

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming | None:
        """Synapses into one neuron, those of weight zero too; None where they are not listed.

        Parameters
        ----------
        neuron : int
            Flat in (C, H, W) order.
        source_shape, target_shape : tuple of int
        """
        return None


@dataclass(frozen=True, eq=False)
class Readout(Synapse):
    """The host reads the source's messages in the step they are sent."""

    kind: ClassVar[str] = "readout"
    steps: ClassVar[int] = 0


def size_of(shape: Shape) -> int:
    """Number of neurons of a shape."""
    return int(np.prod(shape))
