"""What a report is made of, and what it needs of objects from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..comparison import Comparison
from ..network import Audit, Network
from ..profiling import Profile
from ..quantization.bit_width_sweep import Sweep
from ..recording import Recording


class PlacementLike(Protocol):
    """What `nd.fit` finds."""

    @property
    def cores_used(self) -> int:
        """Cores that hold something of the network."""

    @property
    def chips_used(self) -> int:
        """Chips that these cores are on."""


class StepLike(Protocol):
    """A step of `nd.deploy`."""

    @property
    def name(self) -> str:
        """Of the rewrite."""

    @property
    def exact(self) -> bool:
        """Whether it changes no message."""

    @property
    def elements(self) -> Sequence[str]:
        """Populations and projections that it changed."""

    @property
    def text(self) -> str:
        """What it did, and what that changed."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Everything that one page shows; parameters of `neurodeploy.reporting.report`."""

    title: str
    network: Network | None = None
    recordings: tuple[Recording, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    placement: PlacementLike | None = None
    profiles: tuple[Profile, ...] = ()
    accuracy: tuple[tuple[str, int, int], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    float_weights: Mapping[str, Any] = field(default_factory=dict)
    sweep: Sweep | None = None
    steps: tuple[StepLike, ...] = ()
    left: Audit = field(default_factory=Audit)
    samples: tuple[int, ...] | None = None
    neuron: tuple[str, int] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each recording."""
        return labels_of(self.recordings)


def labels_of(recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Backend of each recording; numbered where one backend ran twice."""
    backends = [recording.header.backend for recording in recordings]
    return tuple(
        f"{backend} #{backends[: i + 1].count(backend)}" if backends.count(backend) > 1 else backend
        for i, backend in enumerate(backends)
    )
