"""What one population did over a block of samples, and the header of a recording of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Population, Projection
from ..network.fixed_point import ACTIVATION_SHIFT, SCALE
from .header import Header, PopulationHeader, ProjectionHeader
from .run_options import RunOptions


@dataclass(frozen=True)
class Events:
    """Messages of one population over a block of samples.

    Attributes
    ----------
    step_counts : int32 [samples, steps] or None
        None where nobody asked.
    counts : int64 [samples, neurons]
        Neurons flat in (C, H, W) order.
    neuron : int32 [events] or None
        Sorted by sample and step; None where only counts are recorded.
    payload : int32 or float32 [events], or None
        None where every payload is 1.
    states : mapping of str to int32 or float32 [samples, steps, neurons]
    overflows : mapping of str to int64 [samples]
    """

    step_counts: NDArray[np.int32] | None
    counts: NDArray[np.int64]
    neuron: NDArray[np.int32] | None
    payload: NDArray[Any] | None
    states: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    overflows: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @classmethod
    def from_dense(cls, spikes: NDArray[Any], graded: bool) -> Events:
        """Collect the non-zero entries of [samples, steps, neurons]."""
        sample, step, neuron = np.nonzero(spikes)
        kind = np.float32 if spikes.dtype.kind == "f" else np.int32
        payload = spikes[sample, step, neuron].astype(kind) if graded else None
        step_counts = np.count_nonzero(spikes, axis=2).astype(np.int32)
        counts = np.count_nonzero(spikes, axis=1).astype(np.int64)
        return cls(step_counts, counts, neuron.astype(np.int32), payload)


def header_of(network: Network, backend: str, version: str, options: RunOptions) -> Header:
    """Build the header of a recording that `backend` is about to make."""
    return Header(
        backend=backend,
        backend_version=version,
        network=network.fingerprint,
        inputs=options.inputs_fingerprint,
        steps=options.steps,
        record=options.record,
        reset_interval=options.reset_interval,
        reset_offset=options.reset_offset if options.reset_interval is not None else 0,
        learn_across_samples=options.learn_across_samples,
        warnings=network.beyond_chip,
        **_header_parts(network),
    )


def _header_parts(network: Network) -> dict[str, Any]:
    """What all headers of a network's recordings hold; kept with it."""
    if "header" not in network.kept:
        network.kept["header"] = {
            "populations": tuple(
                PopulationHeader(
                    name=p.name,
                    shape=p.shape,
                    hops=network.hops(p.name),
                    neuron=p.neuron.kind,
                    graded=p.neuron.graded,
                    on_chip=network.on_chip(p),
                    unit=_unit(network, p),
                )
                for p in network.populations
            ),
            "projections": tuple(projection_header(p) for p in network.projections),
        }
    parts: dict[str, Any] = network.kept["header"]
    return parts


def _unit(network: Network, population: Population) -> float | None:
    """What 1 of u and v is worth in the network that was trained, as quantizing noted it."""
    scale = network.metadata.get(f"{SCALE}{population.name}")
    # A rewrite for a target may have put another model there, with states of another meaning.
    if scale is None or population.neuron.cuba_form() is None:
        return None
    # States are mantissas shifted up, mantissas are the trained network's scaled.
    return 1 / ((1 << ACTIVATION_SHIFT) * float(scale))


def projection_header(projection: Projection) -> ProjectionHeader:
    """What a recording says of a projection."""
    epoch = projection.rule.epoch if projection.rule else 0
    ends = projection.source, projection.target
    return ProjectionHeader(*ends, projection.synapse.kind, projection.number, epoch)
