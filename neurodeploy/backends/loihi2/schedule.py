"""When each sample is on the chip: presenting samples back to back, and taking them apart again.

The chip steps on and on. Sample n of a run is presented from step
``n * slot`` on, and a population at hop h meets it h steps later. So that each
sample starts from zero state, u and v of that population are set to zero just
then, every `slot` steps, as netx does it (``reset_offset + 1`` counts up with the
layers in lava-dl's ``hdf5.Network``). The chip resets at powers of two only
(lava-dl, tutorials/lava/lib/dl/netx/mnist/run.ipynb), so `slot` is one.

What is still under way between populations at a reset belongs to the sample
before. In a chain of layers it arrives just before the reset of whom it
reaches; where it does not, samples would leak into each other, which
`carried_over` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...network import CubaLIF, Network, Neuron, Population

LONGEST_RUN = 1 << 16
"""Chip steps of one run; the host keeps what it presents and reads in memory."""


LONGEST_REPEATED = 1 << 10
"""Chip steps of what is repeated during a measurement: the buffer is on the chip."""


@dataclass(frozen=True)
class Lag:
    """Steps by which the adapters between host and chip are late.

    Attributes
    ----------
    input : int
        From a message's step on the host to its step on the chip.
    output : int
        From a message's step on the chip to its step on the host.
    """

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class Schedule:
    """When samples are presented and read in one run of the chip.

    Attributes
    ----------
    samples, steps : int
        Samples of the run; steps that are recorded of each.
    slot : int
        Steps from one sample to the next.
    lag : Lag
    resets : bool
        Whether neurons are reset at the start of each sample.
    reset_interval, reset_offset : int or None, int
        Resets within a sample that the user asked for; only of a single sample.
    """

    samples: int
    steps: int
    slot: int
    lag: Lag
    resets: bool = False
    reset_interval: int | None = None
    reset_offset: int = 0

    @property
    def chip_steps(self) -> int:
        """Steps that the chip must run."""
        return self.lag.input + self.samples * self.slot + self.lag.output

    def presented(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Lay samples out in time.

        Parameters
        ----------
        values : int32 [samples, steps or fewer, neurons]

        Returns
        -------
        int32 [chip_steps, neurons]
        """
        laid = np.zeros((self.samples, self.slot, values.shape[2]), np.int32)
        laid[:, : values.shape[1]] = values[:, : self.slot]
        laid = laid.reshape(self.samples * self.slot, -1)
        return np.pad(laid, ((0, self.chip_steps - len(laid)), (0, 0)))

    def reset_of(self, hops: int) -> tuple[int, int] | None:
        """Interval and phase of a population's resets; steps count from 1, as the chip's."""
        if self.reset_interval is not None:
            phase = self.lag.input + self.reset_offset + 1 + hops
            return self.reset_interval, phase % self.reset_interval
        if self.resets:
            return self.slot, (self.lag.input + 1 + hops) % self.slot
        return None

    def cut(self, trace: NDArray[np.int32], hops: int, late: int = 0) -> NDArray[np.int32]:
        """Take samples out of what was read in a run.

        Parameters
        ----------
        trace : int32 [chip_steps, neurons]
        hops : int
            Of the population: before it, a sample has not arrived. What is
            there belongs to the sample before and is left out where there is one.
        late : int
            Steps by which the trace itself is late: `Lag.output` of what came
            through an adapter.

        Returns
        -------
        int32 [samples, steps, neurons]
        """
        first = self.lag.input + late
        rows = trace[first : first + self.samples * self.slot]
        short = self.samples * self.slot - len(rows)
        rows = np.pad(rows, ((0, short), (0, 0)))
        samples = rows.reshape(self.samples, self.slot, -1)[:, : self.steps].copy()
        if self.resets:
            samples[:, :hops] = 0
        return samples


def repeated(network: Network, samples: int, steps: int) -> Schedule:
    """When samples are on the chip while it is measured, again and again.

    With resets where all neurons have them, also where that lets samples leak
    into each other: that changes what an inference costs very little.
    """
    placed = [p.neuron for p in network.populations if network.on_chip(p)]
    resets = all(map(is_reset, placed))
    slot = power_of_two(steps) if resets else steps
    at_once = max(1, min(samples, LONGEST_REPEATED // slot))
    return Schedule(at_once, steps, slot, Lag(), resets=resets)


def is_reset(neuron: Neuron) -> bool:
    """Whether Lava has a process of a neuron model whose u and v it resets (``LIFReset``)."""
    return neuron.kind == CubaLIF.kind


def carried_over(network: Network) -> str:
    """Say why samples cannot follow each other without leaking into each other, if so.

    Returns
    -------
    str
        One reason, naming the element; nothing where each sample gives what it
        gives by itself.
    """
    for population in network.populations:
        name, neuron, hops = population.name, population.neuron, network.hops(population.name)
        if neuron.runs_on_host == "always":
            continue
        if np.any(population.initial_voltage):
            return f"population {name!r}: starts at a voltage, and a reset brings v to 0"
        if not is_reset(neuron):
            return f"population {name!r}: {neuron.kind} neurons are not reset on the chip"
        if _biased(population) and population.starts != hops:
            return (
                f"population {name!r}: its bias acts from step 0 on, a reset at hop {hops} comes "
                f"{hops} steps later"
            )
        delay = population.axon_delay
        if delay is not None and np.any(delay):
            return f"population {name!r}: its axons delay messages beyond the next reset"
    for projection in network.projections:
        synapse = projection.synapse
        ends = network.hops(projection.source), network.hops(projection.target)
        if ends[1] - ends[0] != synapse.steps:
            return (
                f"projection {projection.name}: goes from hop {ends[0]} to hop {ends[1]}, so what "
                f"is under way at a reset reaches the next sample"
            )
        if np.any(getattr(synapse, "delay", 0)):
            return f"projection {projection.name}: its delays reach beyond the next reset"
    return ""


def starts_elsewhere(network: Network) -> bool:
    """Whether neurons start at other voltages than 0, which no reset within a run gives them."""
    return any(np.any(p.initial_voltage) for p in network.populations)


def early_biases(network: Network, lag: Lag) -> list[str]:
    """Populations whose bias acts before a sample's first input has arrived, for good."""
    return [
        p.name for p in network.populations if lag.input and _biased(p) and not is_reset(p.neuron)
    ]


def schedules(
    network: Network,
    samples: int,
    steps: int,
    lag: Lag,
    back_to_back: bool,
    reset: tuple[int, int] | None = None,
) -> Iterator[tuple[int, Schedule]]:
    """Split samples over runs of the chip.

    Parameters
    ----------
    network : Network
    samples, steps : int
    lag : Lag
    back_to_back : bool
        Several samples in a run; see `carried_over`.
    reset : (interval, offset), optional
        Resets within a sample, as `RunOptions` has them.

    Yields
    ------
    int, Schedule
        The run's first sample, and when its samples are on the chip.
    """
    # Neurons that start with their first input do so because a reset comes just then.
    late = any(p.starts for p in network.populations)
    if reset is None and (late or (back_to_back and samples > 1)):
        slot = power_of_two(steps)
        at_once = max(1, LONGEST_RUN // slot) if back_to_back else 1
        for start in range(0, samples, at_once):
            yield start, Schedule(min(at_once, samples - start), steps, slot, lag, resets=True)
        return
    interval, offset = reset or (None, 0)
    # A bias acts before the first message has come through the adapter: once the
    # lag is over, all start again from zero.
    biased = any(map(_biased, network.populations)) and not starts_elsewhere(network)
    restart = reset is None and lag.input > 0 and biased
    for start in range(samples):
        if restart:
            never_again = power_of_two(lag.input + steps + lag.output + 1)
            yield start, _Restarted(1, steps, steps, lag, reset_interval=never_again)
        else:
            yield (
                start,
                Schedule(1, steps, steps, lag, reset_interval=interval, reset_offset=offset),
            )


class _Restarted(Schedule):
    """One sample; all populations are reset at once when it begins."""

    def reset_of(self, hops: int) -> tuple[int, int] | None:
        assert self.reset_interval is not None
        return self.reset_interval, (self.lag.input + 1) % self.reset_interval


def power_of_two(least: int) -> int:
    """The smallest power of two that is at least `least`."""
    return 1 << max(0, least - 1).bit_length()


def _biased(population: Population) -> bool:
    return bool(np.any(np.asarray(getattr(population.neuron, "bias", 0))))
