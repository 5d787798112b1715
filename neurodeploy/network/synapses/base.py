"""What every synapse operator can say about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ..fields import WEIGHTS, Declared

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
    reads_all : bool
        Whether each message reads one stored weight, zero or not, for every target neuron.
    has_float_form : bool
        Whether it may stand in a float network, see `core.floating`.
    is_listed : bool
        Whether each synapse stands in a list, so that neurons have different numbers of them.
    has_delays : bool
        Whether each synapse has a delay of its own.
    longest_delay : int
        Steps by which the latest synapse delays, beyond `steps`.
    sums_wrap : bool
        Whether the sum of one projection wraps to 24 bits.
    """

    rows_are: ClassVar[str] = ""
    kind: ClassVar[str] = "synapse"
    steps: ClassVar[int] = 1
    ports: ClassVar[int] = 1
    reads_all: ClassVar[bool] = False
    has_float_form: ClassVar[bool] = False
    is_listed: ClassVar[bool] = False
    has_delays: ClassVar[bool] = False
    longest_delay: ClassVar[int] = 0
    sums_wrap: ClassVar[bool] = False

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

    @property
    def parts(self) -> tuple[Synapse, ...]:
        """The operators on one current each that it is made of; itself where it is one."""
        return (self,)

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All its weights; one weight for all neurons is an array without axes."""
        found: list[NDArray[Any]] = []
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Synapse):
                found += value.arrays()
            elif WEIGHTS in item.metadata:
                found.append(np.asarray(value))
        return tuple(found)

    def with_arrays(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Synapse:
        """Give the same operator with each of its `arrays` changed, in their order."""
        made: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Synapse):
                made[item.name] = value.with_arrays(change)
            elif WEIGHTS in item.metadata:
                made[item.name] = change(np.asarray(value))
        return replace(self, **made)

    @property
    def only_array(self) -> NDArray[Any]:
        """The weights of an operator that has one array of them.

        Raises
        ------
        UnsupportedError
            If it has two, or none.
        """
        arrays = self.arrays()
        if len(arrays) != 1:
            raise UnsupportedError(f"{self.label}: {len(arrays)} arrays of weights, not one")
        return arrays[0]

    def weight_rows(self, targets: int) -> NDArray[np.int64]:
        """Target or channel (`rows_are`) of each weight, to broadcast against ``weight``.

        0 throughout where all targets share them.
        """
        if not self.rows_are:
            return np.zeros(1, np.int64)
        weight = self.only_array
        return np.arange(len(weight)).reshape(-1, *[1] * (weight.ndim - 1))

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

    def channels_read(self) -> NDArray[np.bool_] | None:
        """Of a convolution, which input channels have a weight other than zero.

        Returns
        -------
        bool [input channels], or None for other operators
        """
        return None

    def stored_per_source(self, first: int, stop: int, sources: int) -> NDArray[np.int64]:
        """Synapses that a core which holds targets ``first <= i < stop`` stores for each source.

        Zeros are stored as well, where they are not left out of a list.

        Returns
        -------
        int64 [sources, or those that have some]
        """
        return np.full(sources, stop - first, np.int64)

    def stored_lists(
        self, first: int, stop: int, sources: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lengths of the lists of `stored_per_source`, and how many lists each length stands for.

        Returns
        -------
        int64 [lengths], int64 [lengths, or 1 for all]
        """
        return self.stored_per_source(first, stop, sources), np.ones(1, np.int64)

    def synops_per_target(
        self, counts: NDArray[np.float64], source_shape: Shape, targets: int, stored: bool = False
    ) -> NDArray[np.float64]:
        """Synaptic operations that reach each target neuron; spread evenly where not known better.

        Parameters
        ----------
        counts : float64 [source neurons]
            Messages.
        source_shape : tuple of int
        targets : int
        stored : bool
            Count weights of zero too, as far as a core stores and reads them.

        Returns
        -------
        float64 [targets]
        """
        return np.full(targets, float(self.fan_out(source_shape, dense=stored) @ counts) / targets)

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
