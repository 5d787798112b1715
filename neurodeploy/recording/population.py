"""What was recorded of one population."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..display import Shown, imported, listed
from ..errors import RecordingError
from ..network.neurons import model_of
from ..network.neurons.registry import NO_STATES
from ..numbers import count, percent
from .header import PopulationHeader

OVERFLOWS = ("u_overflows", "v_overflows", "input_overflows")

_COUNTED_AT_ONCE = 1024
"""Samples."""

IntArray = NDArray[np.integer[Any]]


class Arrays(Protocol):
    """Arrays by name, in memory or read from a file when asked for."""

    def __contains__(self, key: object) -> bool: ...

    def __getitem__(self, key: str) -> Any: ...

    def __iter__(self) -> Iterator[str]: ...


@dataclass(frozen=True)
class PopulationRecord(Shown):
    """What was recorded of one population. Index it by ``counts``, ``spikes`` or a state's name.

    Attributes
    ----------
    header : PopulationHeader

    Examples
    --------
    >>> record = rec["1_dense"]
    >>> record.recorded
    ('counts', 'spikes', 'v')
    >>> record.spikes.shape, record["v"].dtype
    ((20, 16, 10), dtype('int32'))
    """

    header: PopulationHeader
    steps: int
    _arrays: Arrays

    def to_pandas(self) -> Any:
        """Give the messages as a table.

        Returns
        -------
        pandas.DataFrame
            A row a message: ``sample``, ``step``, ``neuron`` in (C, H, W) order, ``payload``.

        Raises
        ------
        RecordingError
            If spikes were not recorded.
        InputError
            If pandas is not installed (extra ``tables``).

        Examples
        --------
        >>> rec["1_dense"].to_pandas()  # doctest: +SKIP
        """
        where, neuron, payload = self.events_of(0, self._samples)
        sample, step = np.divmod(where, self.steps)
        table = {"sample": sample, "step": step, "neuron": neuron, "payload": payload}
        return imported("pandas", "tables").DataFrame(table)

    def has(self, what: str) -> bool:
        """Whether `what` (counts, spikes or a state) was recorded here.

        Parameters
        ----------
        what : str
            ``counts``, ``spikes`` or a state's name.

        Returns
        -------
        bool

        Examples
        --------
        >>> rec["1_dense"].has("v"), rec["1_dense"].has("u")
        (True, False)
        """
        return self._key("neuron" if what == "spikes" else what) in self._arrays

    def __getitem__(self, what: str) -> NDArray[Any]:
        if what in ("counts", "spikes"):
            return self.counts if what == "counts" else self.spikes
        return self.state_of(what)

    @property
    def recorded(self) -> tuple[str, ...]:
        """What there is of counts, spikes and states, by name."""
        return (*(what for what in ("counts", "spikes") if self.has(what)), *self.states)

    def __iter__(self) -> Iterator[str]:
        return iter(self.recorded)

    def __contains__(self, what: object) -> bool:
        return what in self.recorded

    def __repr__(self) -> str:
        header, lines = self.header, []
        if {"counts", "spikes"} & set(self.recorded):
            of_each = self.counts if "counts" in self.recorded else self.step_counts
            samples, messages = len(of_each), int(of_each.sum())
            lines.append(f"{samples} samples x {self.steps} steps, hops: {header.hops}")
            rate = messages / (samples * self.steps * header.size or 1)
            mean = count(messages / (samples or 1))
            lines.append(f"{mean} messages a sample, {percent(rate)} of neurons and steps")
        if header.unit is not None and {"u", "v"} & set(self.recorded):
            lines.append(f"1 of u and v is {header.unit:.4g} of the trained network's")
        for what in self.recorded:
            kind = "[samples, *shape]" if what == "counts" else "[samples, steps, *shape]"
            lines.append(f"{what} {kind}")
        shape = "x".join(map(str, header.shape))
        title = f"PopulationRecord of {header.name!r}: {header.neuron}, shape {shape}"
        return listed(title, lines, what="more states")

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the states recorded, in the order in which the neuron updates them."""
        prefix = self._key("")
        names = {key[len(prefix) :] for key in self._arrays if key.startswith(prefix)}
        found = {name for name in names - NO_STATES if "/" not in name}
        own = model_of(self.header.neuron).states
        return (*(name for name in own if name in found), *sorted(found - set(own)))

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 [samples, *shape]: messages that each neuron sent."""
        return np.asarray(self._get("counts")[:])

    @property
    def spikes(self) -> NDArray[Any]:
        """int32 [samples, steps, *shape]: payload sent (1 for a plain spike), 0 for none.

        float32 where neurons of a float network send numbers.
        """
        return self.spikes_of(0, self._samples)

    @property
    def u(self) -> NDArray[Any]:
        """int32 [samples, steps, *shape]: u after each step (sigma in sigma-delta models).

        float32 of a float network.
        """
        return self.state_of("u")

    @property
    def v(self) -> NDArray[Any]:
        """int32 [samples, steps, *shape]: v after each step (activation in sigma-delta models).

        float32 of a float network.
        """
        return self.state_of("v")

    @property
    def axon_delay(self) -> NDArray[np.int32] | None:
        """int32 [neurons]: delay of each neuron's messages, or None where there is none."""
        key = self._key("axon_delay")
        return np.asarray(self._arrays[key][:]) if key in self._arrays else None

    @property
    def step_counts(self) -> NDArray[np.int32]:
        """int32 [samples, steps]: messages sent in each step."""
        return np.asarray(self._get("event_counts")[:])

    def events_of(self, start: int, stop: int) -> tuple[IntArray, IntArray, NDArray[Any]]:
        """Events of samples start..stop: (s - start) * steps + t, neuron and payload of each.

        Parameters
        ----------
        start, stop : int
            The first sample, and the one after the last.

        Returns
        -------
        where : int64 [events]
            ``(s - start) * steps + t`` of sample s and step t.
        neuron : int [events]
            In (C, H, W) order.
        payload : int32 [events]
            1 for a plain spike; float32 of a float network.

        Raises
        ------
        RecordingError
            If spikes were not recorded, or the file contradicts itself.

        Examples
        --------
        >>> where, neuron, payload = rec["1_dense"].events_of(0, 1)
        >>> len(where) == int(rec["1_dense"].counts[0].sum())
        True
        """
        counts = np.asarray(self._get("event_counts")[start:stop])
        first, last = int(self._ends[start]), int(self._ends[stop])
        neuron = np.asarray(self._get("neuron")[first:last])
        if neuron.size and (neuron.min() < 0 or neuron.max() >= self.header.size):
            worst = neuron.min() if neuron.min() < 0 else neuron.max()
            raise self._fail(f"a message of neuron {worst}, of {self.header.size} neurons")
        key = self._key("payload")
        payload = (
            np.asarray(self._arrays[key][first:last])
            if key in self._arrays
            else np.ones(len(neuron), np.int32)
        )
        where = np.repeat(np.arange(counts.size), counts.ravel())
        return where, neuron, payload

    def spikes_of(self, start: int, stop: int) -> NDArray[Any]:
        """As `spikes`, of samples start..stop only.

        Parameters
        ----------
        start, stop : int
            The first sample, and the one after the last.

        Returns
        -------
        int32 [stop - start, steps, *shape]

        Raises
        ------
        RecordingError
            If spikes were not recorded.

        Examples
        --------
        >>> rec["1_dense"].spikes_of(2, 5).shape
        (3, 16, 10)
        """
        where, neuron, payload = self.events_of(start, stop)
        dense = np.zeros(((stop - start) * self.steps, self.header.size), payload.dtype)
        dense[where, neuron] = payload
        return dense.reshape(stop - start, self.steps, *self.header.shape)

    def state_of(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Give a state by its name, of samples start..stop, as `v`.

        Parameters
        ----------
        name : str
            Of a state, such as ``v``.
        start, stop : int
            The first sample, and the one after the last; None for all from `start` on.

        Returns
        -------
        int32 [samples, steps, *shape]
            float32 of a float network.

        Raises
        ------
        RecordingError
            If it was not recorded.

        Examples
        --------
        >>> rec["1_dense"].state_of("v", 0, 2).shape
        (2, 16, 10)
        """
        return np.asarray(self._get(name)[start:stop])

    @property
    def unit(self) -> float | None:
        """What 1 of u and v is worth in the network that was trained.

        1 / (64 * scale), with the scale that `nd.quantize` noted (fact ``quantize/scale/NAME``): u
        and v are mantissas shifted up by 6 bits. 1.0 of a float network. None where nothing is
        known: of networks that came as integers, of populations for which a target needed another
        model of neurons, and of recordings made before version 0.2.
        """
        return 1.0 if model_of(self.header.neuron).is_float else self.header.unit

    def in_trained_units(
        self, what: str = "v", start: int = 0, stop: int | None = None
    ) -> NDArray[np.float64]:
        """Give u or v in the unit of the network that was trained.

        Of a readout, which sends nothing, v is the network's output.

        Parameters
        ----------
        what : str
            ``u`` or ``v``.
        start, stop : int
            As `state_of` takes them.

        Returns
        -------
        float64 [samples, steps, *shape]
            On the chip clock: ``hops`` steps behind the float network's.

        Raises
        ------
        RecordingError
            If it was not recorded, or the unit is not known.

        Examples
        --------
        >>> fixed = nd.quantize(trained, calibration=x)  # doctest: +SKIP
        >>> rec = nd.run(fixed, x, record=("spikes", "v"))  # doctest: +SKIP
        >>> rec["readout"].in_trained_units().max()  # doctest: +SKIP
        1.482
        """
        if what not in ("u", "v"):
            raise RecordingError(
                f"population {self.header.name!r}: {what!r} has no unit; give u or v"
            )
        if self.unit is None:
            raise RecordingError(
                f"population {self.header.name!r}: nothing says what was trained; run a network "
                f"that nd.quantize or nd.deploy made of floats"
            )
        return self.state_of(what, start, stop) * np.float64(self.unit)

    def overflows(self) -> dict[str, int] | None:
        """How often a number left its bits, summed over samples; silicon may differ there.

        None where the backend counts none.

        Returns
        -------
        dict of str to int or None
            By the name of what overflowed.

        Examples
        --------
        >>> rec["1_dense"].overflows()
        {'u_overflows': 0, 'v_overflows': 0, 'input_overflows': 0}
        """
        keys = {name: self._key(name) for name in OVERFLOWS}
        found = {n: int(self._arrays[k][:].sum()) for n, k in keys.items() if k in self._arrays}
        return found or None

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Events before each sample and after the last; without all counts in memory at once."""
        counts = self._get("event_counts")
        totals = [
            self._sums(np.asarray(counts[first : first + _COUNTED_AT_ONCE]))
            for first in range(0, len(counts), _COUNTED_AT_ONCE)
        ]
        ends: NDArray[np.int64] = np.cumsum(np.concatenate([np.zeros(1, np.int64), *totals]))
        held = len(self._get("neuron"))
        if ends[-1] != held:
            raise self._fail(f"{ends[-1]} messages in its steps, {held} by their neurons")
        return ends

    def _sums(self, counts: NDArray[Any]) -> NDArray[np.int64]:
        if counts.size and counts.min() < 0:
            raise self._fail(f"{counts.min()} messages in a step")
        sums: NDArray[np.int64] = counts.sum(axis=1, dtype=np.int64)
        return sums

    def _fail(self, problem: str) -> RecordingError:
        return RecordingError(f"population {self.header.name!r}: {problem}; record it again")

    @property
    def _samples(self) -> int:
        return int(self._get("event_counts").shape[0])

    def _key(self, what: str) -> str:
        return f"populations/{self.header.name}/{what}"

    def _get(self, what: str) -> Any:
        key = self._key(what)
        if key not in self._arrays:
            asked = {"event_counts": "spikes", "neuron": "spikes"}.get(what, what)
            raise RecordingError(
                f"population {self.header.name!r}: {asked} was not recorded; run again with "
                f'record=(..., "{asked}") or --record ...,{asked}'
            )
        return self._arrays[key]
