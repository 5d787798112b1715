"""Recorded messages on a network's clock, ready to be fed to one of its populations again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RecordingError
from ..inputs import Presented, present
from ..network import Network
from ..recording import PopulationRecord, Recording
from .alignment import Array, shift_steps, where_fired

if TYPE_CHECKING:
    from ..core.replay import Messages


_MOST_KEPT = 8
"""Samples' messages and currents held at once."""


def recorded_messages(
    record: PopulationRecord, hops: int, start: int, stop: int, steps: int
) -> Messages:
    """Messages of samples start..stop, moved to the clock on which the population lags by `hops`.

    Raises
    ------
    RecordingError
        If payloads are not whole: integers cannot be fed with them.
    """
    from ..core.replay import Messages

    where, neuron, payload = record.events_of(start, stop)
    sample, step = np.divmod(where, record.steps)
    step = step + hops - record.header.hops
    kept = (step >= 0) & (step < steps)
    counts = np.bincount(sample[kept] * steps + step[kept], minlength=(stop - start) * steps)
    sent = payload[kept]
    if sent.dtype.kind == "f" and (sent != np.rint(sent)).any():
        raise RecordingError(
            f"population {record.header.name!r}: payloads are fractions, which an integer network "
            f"cannot be fed with; compare without it"
        )
    return Messages(
        counts.reshape(stop - start, steps).astype(np.int32),
        neuron[kept].astype(np.int32),
        None if (sent == 1).all() else sent.astype(np.int32),
    )


def presented_to(network: Network, inputs: NDArray[Any], recording: Recording) -> Presented:
    """What a recorded run was presented with: inputs with their transform, or raw if it was so.

    The recording's hash tells; inputs of another run are taken with the transform.
    """
    for transform in (True, False) if network.input.transform is not None else ():
        with suppress(InputError):
            presented = present(network, inputs, recording.steps, transform)
            if presented.fingerprint() == recording.header.inputs:
                return presented
    return present(network, inputs, recording.steps)


@dataclass(frozen=True)
class Observed:
    """What one side recorded of a population in one sample, on the network's clock.

    Attributes
    ----------
    values : dict of str to array [steps, neurons]
        Of ``spikes`` and the states recorded.
    fired : bool [steps, neurons]
        Where v may be the chip's refractory counter, as far as this side knows.
    steps : slice
        The steps that were recorded.
    """

    values: Mapping[str, Array]
    fired: NDArray[np.bool_]
    steps: slice

    def of_neuron(self, neuron: int) -> Observed:
        """The same of one neuron."""
        values = {name: array[:, [neuron]] for name, array in self.values.items()}
        return Observed(values, self.fired[:, [neuron]], self.steps)


@dataclass(frozen=True)
class Side:
    """One recording, read on the clock of the network that it ran.

    Attributes
    ----------
    recording : Recording
    network : Network
    label : str
    inputs : array or None
        As for `nd.run`.
    """

    recording: Recording
    network: Network
    label: str
    inputs: NDArray[Any] | None = None
    kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Make something once for the few samples that are being looked at."""
        key = (id(self.network), key)
        if key not in self.kept:
            while len(self.kept) >= _MOST_KEPT:
                self.kept.pop(next(iter(self.kept)))
            self.kept[key] = make()
        return self.kept[key]

    def messages(self, population: str, sample: int) -> dict[str, Messages]:
        """Messages of all sources of a population in one sample, see `_messages`."""
        key = ("messages", population, sample)
        found: dict[str, Messages] = self.once(key, lambda: self._messages(population, sample))
        return found

    def _messages(self, population: str, sample: int) -> dict[str, Messages]:
        """Collect them.

        Sources whose spikes were not recorded are run again from the inputs.

        Raises
        ------
        RecordingError
            If there are no inputs for that.
        """
        sources = {p.source for p in self.network.into(population)}
        missing = {s for s in sources if not self._knows(s)}
        again = self._rerun(sample, min(missing)) if missing else None
        found = {}
        for source in sources:
            hops, steps = self.network.hops(source), self.recording.steps
            if again is not None and source in missing:
                found[source] = recorded_messages(again[source], hops, 0, 1, steps)
            else:
                record = self.recording[source]
                found[source] = recorded_messages(record, hops, sample, sample + 1, steps)
        return found

    def values(self, population: str, sample: int) -> NDArray[np.int32] | None:
        """What is presented to a population, int32 [1, steps, neurons]; None for all but inputs."""
        if population != self.network.input.name or self.inputs is None:
            return None
        presented = presented_to(self.network, self.inputs, self.recording)
        return presented[sample : sample + 1].reshape(1, self.recording.steps, -1)

    def observed(self, population: str, sample: int) -> Observed:
        """What was recorded of a population in one sample."""
        record = self.recording[population]
        shift = self.network.hops(population) - record.header.hops
        steps = self.recording.steps
        values = {"spikes": record.spikes_of(sample, sample + 1)}
        values |= {n: record.state_of(n, sample, sample + 1) for n in record.states}
        moved = {
            name: shift_steps(array.reshape(steps, -1), shift) for name, array in values.items()
        }
        flags = shift_steps(where_fired(record, sample, sample + 1).reshape(steps, -1), shift)
        return Observed(moved, flags, slice(max(0, shift), min(steps, steps + shift)))

    def resets(self, population: str) -> NDArray[np.bool_]:
        """Steps before which the population's states were set to zero, bool [steps]."""
        return self.recording.header.resets(self.network.hops(population))

    def _knows(self, source: str) -> bool:
        return source in self.recording.names and self.recording[source].has("spikes")

    def _rerun(self, sample: int, source: str) -> Recording:
        from ..backends import run

        if self.inputs is None:
            raise RecordingError(
                f"{self.label}: spikes of {source!r} were not recorded; give the inputs (--input), "
                f"or record spikes"
            )
        presented = presented_to(self.network, self.inputs, self.recording)
        part = presented[sample : sample + 1]
        header = self.recording.header
        return run(
            self.network,
            part,
            record=("spikes",),
            apply_transform=False,
            reset_interval=header.reset_interval,
            reset_offset=header.reset_offset,
        )
