"""What a network spends while sound runs through it: spikes, time, operations, power."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...chip import Chip, load_chip
from ...chip.energy import event_joules
from ...network import Network
from ...profiling.benchmarks import proxies
from .latency import Latency

_PER_DECADE = 100
_DECADES = 8
"""Times from 1 us to 100 s are counted in bins 2.3 % apart, so that memory stays flat."""


@dataclass(frozen=True)
class Reading:
    """What a `Meter` shows.

    Attributes
    ----------
    seconds : float
        Of sound.
    blocks : int
        Hops, a step of the network each.
    real_time_factor : float
        Time computed on this machine / time of sound, by the clock on the wall.
    processor_factor : float
        The same by this thread's processor time: what one core is busy, whoever shares it.
    median_ms, p999_ms, worst_ms : float
        Time that a block took by the clock on the wall; percentiles to 2.3 %.
    processor_p999_ms : float
        The 99.9th percentile by processor time.
    late : int
        Blocks that took longer than a hop, by the clock on the wall.
    messages_per_step : dict of str to float
        By population.
    synops_per_second, neuron_updates_per_second : float
        Per second of sound; zero weights not counted.
    power_proxy, pdp_proxy : float
        As `profiling.benchmarks.ndns_proxy`: operations a second, times the algorithmic latency.
    watts, watts_low, watts_high : float
        Estimated, of the chip: counted events and static power, with the chip file's band.
    dynamic_watts : float
        Without static power.
    chip : str
    dropped : int
        Blocks that were lost and concealed.
    clipped : int
        Samples cut off at full scale.
    latency : dict of str to float
    """

    seconds: float
    blocks: int
    real_time_factor: float
    processor_factor: float
    median_ms: float
    p999_ms: float
    worst_ms: float
    processor_p999_ms: float
    late: int
    messages_per_step: dict[str, float]
    synops_per_second: float
    neuron_updates_per_second: float
    power_proxy: float
    pdp_proxy: float
    watts: float
    watts_low: float
    watts_high: float
    dynamic_watts: float
    chip: str
    dropped: int
    clipped: int
    latency: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON has them."""
        return {**asdict(self), "power_kind": "estimated"}

    @property
    def line(self) -> str:
        """One line for a terminal."""
        return (
            f"{self.seconds:7.1f} s  {sum(self.messages_per_step.values()):6.0f} spikes/step  "
            f"{self.power_proxy / 1e6:5.1f} M-Ops/s  real-time factor {self.real_time_factor:.3f} "
            f"({self.processor_factor:.3f} of a core)  worst block {self.worst_ms:.2f} ms  "
            f"power ~{self.watts * 1e3:.0f} mW "
            f"({self.dynamic_watts * 1e3:.2f} dynamic, estimated)  lost {self.dropped}"
        )


class Times:
    """Durations, counted in bins; memory does not grow."""

    def __init__(self) -> None:
        self.count, self.total, self.worst = 0, 0.0, 0.0
        self._bins = np.zeros(_PER_DECADE * _DECADES, np.int64)

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self.count += 1
        self.total += seconds
        self.worst = max(self.worst, seconds)
        place = int(_PER_DECADE * math.log10(max(seconds, 1e-6) * 1e6))
        self._bins[min(place, len(self._bins) - 1)] += 1

    def percentile(self, share: float) -> float:
        """Seconds within which this share of them was done, rounded up by at most 2.3 %."""
        if not self.count:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._bins), share * self.count))
        return min(float(1e-6 * 10 ** ((place + 1) / _PER_DECADE)), self.worst)


class Meter:
    """Counts while a stream runs; see `Reading`.

    Parameters
    ----------
    network : Network
    hop_seconds : float
        Sound that a step stands for.
    latency : Latency
    chip : str or Chip
        Whose constants make the estimate of power.
    chip_steps : int
        Steps of the chip for each block. In all but one of them a neuron is woken and has
        nothing to do, which is priced as an idle update.

    Attributes
    ----------
    dropped, clipped : int
    """

    def __init__(
        self,
        network: Network,
        hop_seconds: float,
        latency: Latency,
        chip: str | Chip = "loihi2",
        chip_steps: int = 1,
    ) -> None:
        self.chip = load_chip(chip)
        self.hop_seconds, self.latency, self.chip_steps = hop_seconds, latency, chip_steps
        self._of_chip = {p.name: p.size for p in network.populations if network.on_chip(p)}
        sizes = self._of_chip.values()
        self.neurons = sum(sizes)
        encoders = (p for p in network.populations if p.neuron.runs_on_host == "first")
        self.host_neurons = sum(p.size for p in encoders if p.name not in self._of_chip)
        self.cores = sum(math.ceil(size / self.chip["neurons_per_core"]) for size in sizes)
        self.chips = max(1, math.ceil(self.cores / self.chip["cores_per_chip"]))
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.late = self.dropped = self.clipped = self.synops = 0
        self.wall, self.processor = Times(), Times()
        self.messages: Mapping[str, int] = {}

    @property
    def blocks(self) -> int:
        """Hops so far."""
        return self.wall.count

    def block(
        self,
        wall_seconds: float,
        processor_seconds: float,
        messages: Mapping[str, int],
        synops: int,
    ) -> None:
        """Note a block: the time it took, and all messages and operations so far."""
        self.wall.add(wall_seconds)
        self.processor.add(processor_seconds)
        self.late += wall_seconds > self.hop_seconds
        self.messages, self.synops = dict(messages), synops

    def read(self) -> Reading:
        """Give the state of things."""
        seconds = max(self.blocks, 1) * self.hop_seconds
        updates = self.blocks * self.neurons
        joules: float = event_joules(
            self.chip,
            synops=self.synops,
            updates=updates * self.chip_steps,
            active=sum(count for name, count in self.messages.items() if name in self._of_chip),
            messages=sum(self.messages.values()),
            core_steps=self.cores * self.blocks * self.chip_steps,
        )
        dynamic = joules / seconds
        chip, static = self.chip, self.chip["static_power"] * self.chips
        everywhere = self.blocks * (self.neurons + self.host_neurons)
        found = proxies(self.synops, everywhere, seconds, self.latency.total_ms / 1e3)
        low = dynamic * chip["dynamic_energy_low"] + chip["static_power_low"] * self.chips
        high = dynamic * chip["dynamic_energy_high"] + chip["static_power_high"] * self.chips
        return Reading(
            seconds=self.blocks * self.hop_seconds,
            blocks=self.blocks,
            real_time_factor=self.wall.total / seconds,
            processor_factor=self.processor.total / seconds,
            median_ms=1e3 * self.wall.percentile(0.5),
            p999_ms=1e3 * self.wall.percentile(0.999),
            worst_ms=1e3 * self.wall.worst,
            processor_p999_ms=1e3 * self.processor.percentile(0.999),
            late=self.late,
            messages_per_step={n: c / max(self.blocks, 1) for n, c in self.messages.items()},
            synops_per_second=self.synops / seconds,
            neuron_updates_per_second=updates / seconds,
            **found,
            watts=dynamic + static,
            watts_low=low,
            watts_high=high,
            dynamic_watts=dynamic,
            chip=chip.name,
            dropped=self.dropped,
            clipped=self.clipped,
            latency=self.latency.as_dict(),
        )
