"""Runs a network one time step at a time, for ever."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.learning import shape_of
from ..core.order import cycles
from ..core.stream import CoreStream
from ..errors import ChipWarning, InputError, UnsupportedError
from ..inputs import present, range_of
from ..network import Network
from ..recording.learning import with_weights


def stream(
    network: Network, *, apply_transform: bool = True, count: bool = False, gated: bool = False
) -> Stream:
    """Open a network for running step by step; states carry on from step to step.

    Parameters
    ----------
    network : Network
    apply_transform : bool
        Whether to apply the input layer's weight and bias to what is presented.
    count : bool
        Keep `Stream.messages` and `Stream.synops`.
    gated : bool
        What a chip does that takes several of its steps for each one here and lets each
        population run in one of them, the first population first: a message reaches the
        populations behind within the step, and the output lags by nothing. Loops of a
        population with itself still take a step, and `Population.starts` counts from when
        the first message can be there. Where all paths to a population are equally long, and
        populations start when they are reached or have no bias, the output is that of a
        stream without this, as many steps earlier as it lags there.

    Returns
    -------
    Stream
        A context manager; ``stream.step(x)`` runs one step.

    Raises
    ------
    UnsupportedError
        If the engine cannot run an element; it names it. If `gated`, and populations
        feed each other in a loop: neither is the first.

    Warns
    -----
    ChipWarning
        If delays are longer than the chip's.

    Examples
    --------
    >>> with nd.stream(net) as running:
    ...     outputs = [running.step(x) for x in inputs[0]]
    >>> len(outputs), outputs[0].shape
    (16, (10,))
    """
    for line in network.beyond_chip:
        warnings.warn(line, ChipWarning, stacklevel=2)
    return Stream(network, apply_transform, count, gated)


class Stream:
    """A network that is running; see `stream`.

    Attributes
    ----------
    network : Network
    steps : int
        Steps run so far.
    messages : dict of str to int
        Messages that left each population so far, where they are counted.
    synops : int
        Synaptic operations that they cause, zero weights not counted.

    Examples
    --------
    >>> with nd.stream(net) as running:
    ...     out = running.step(inputs[0, 0])
    >>> out.dtype
    dtype('int32')
    """

    def __init__(
        self,
        network: Network,
        apply_transform: bool = True,
        count: bool = False,
        gated: bool = False,
    ) -> None:
        self.network = network
        self.gated = gated
        self.steps = 0
        self._apply_transform = apply_transform
        if gated:
            _refuse_learning(network)
            _check_order(network)
        self._core = CoreStream(network, gated, count)
        self._counted = tuple(p.name for p in network.populations) if count else ()
        self._open = True
        plain = network.input.transform is None or not apply_transform
        self._limits = range_of(network) if plain else None
        self.messages, self.synops = dict.fromkeys(self._counted, 0), 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False

    def reset(self) -> None:
        """Start again from zero state.

        Examples
        --------
        >>> with nd.stream(net) as running:
        ...     first = [running.step(x).tolist() for x in inputs[0]]
        ...     running.reset()
        ...     again = [running.step(x).tolist() for x in inputs[0]]
        >>> first == again
        True
        """
        self.steps = 0
        self.messages, self.synops = dict.fromkeys(self._counted, 0), 0
        self._core.reset()

    def learned(self) -> Network:
        """Give the network with the weights that it has learned so far; the stream goes on.

        Returns
        -------
        Network

        Examples
        --------
        >>> nd.save(stream.learned(), "taught.net")  # doctest: +SKIP
        """
        weights = {
            p.name: self._core.learned(number, shape_of(self.network, p))["w"]
            for number, p in enumerate(self.network.learning)
        }
        return with_weights(self.network, weights)

    def step(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """Present one step of input and return what the output sends in this step.

        Parameters
        ----------
        x : array [*input shape]
            As one step of the inputs of `neurodeploy.run`. The output lags by
            ``network.hops(network.output.name)`` steps, by none if gated.

        Returns
        -------
        int32 [*output shape]

        Raises
        ------
        InputError
            If the shape or range does not fit, or the stream is closed.

        Examples
        --------
        >>> with nd.stream(net) as running:
        ...     out = running.step(inputs[0, 0])
        >>> out.shape
        (10,)
        """
        if not self._open:
            raise InputError("stream: is closed; open another with stream(network)")
        out = self._core.step(self._presented(np.asarray(x)))
        self.steps += 1
        if self._counted:
            for name, sent in zip(self._counted, self._core.messages.tolist(), strict=True):
                self.messages[name] += sent
            self.synops += self._core.synops
        return out

    def _presented(self, x: NDArray[Any]) -> NDArray[Any]:
        """As `present`, quickly where a step of integers is what it should be."""
        if self._limits is not None and x.shape == self.network.input.shape and x.dtype.kind == "i":
            least, most = self._limits
            if least <= x.min() and x.max() <= most:
                return x
        values: NDArray[Any] = present(self.network, x[None], None, self._apply_transform)[:][0, 0]
        return values


def _check_order(network: Network) -> None:
    for together in cycles(network):
        if len(together) > 1:
            names = ", ".join(map(repr, together))
            raise UnsupportedError(
                f"stream: populations {names} feed each other in a loop, so none can run before "
                f"the others within a step; stream it without gated"
            )


def _refuse_learning(network: Network) -> None:
    """Stop a network that learns: which spikes come together differs where messages do not lag."""
    for projection in network.learning:
        raise UnsupportedError(
            f"projection {projection.name}: learns, and in a gated stream its spikes would meet "
            f"in other steps than on the chip; open the stream without gated"
        )
