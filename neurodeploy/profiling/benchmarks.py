"""The metrics that two public benchmarks compare networks by: NeuroBench and Intel's N-DNS."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, RecordingError
from ..network import Network
from ..network.neurons import model_of
from .result import Profile

if TYPE_CHECKING:
    from ..recording import PopulationHeader, Recording


def neurobench(
    network: Network,
    recording: Recording,
    bytes_per_weight: int = 4,
    graded_inputs: bool = False,
) -> dict[str, Any]:
    """NeuroBench's metrics of a network and a run, under NeuroBench's names.

    Definitions: NeuroBench 2.3, ``neurobench/metrics``. A source's messages of value 1
    make accumulates (ACs), graded ones multiply-accumulates (MACs).

    Parameters
    ----------
    network : Network
    recording : Recording
        Of this network, with counts; with v for `MembraneUpdates`.
    bytes_per_weight : int
        4 as torch stores weights; 1 as the chip's memory does at 8 bits.
    graded_inputs : bool
        Whether inputs that are sent in from outside had values other than 1: counts do
        not say it.

    Returns
    -------
    dict
        ``Footprint`` (bytes of weights; the buffers of a torch module come on top),
        ``ConnectionSparsity``, ``ActivationSparsity``, ``SynapticOperations``
        (``Effective_MACs``, ``Effective_ACs``, ``Dense``, per sample) and ``MembraneUpdates``
        (per sample; NaN where v was not recorded).

    Raises
    ------
    RecordingError
        If another network was recorded, or without counts.
    """
    if recording.header.network != network.fingerprint:
        raise RecordingError("recording: made by another network; give the network that ran")
    weights = [weight for p in network.projections for weight in p.synapse.arrays()]
    total = sum(w.size for w in weights)
    zeros = sum(w.size - np.count_nonzero(w) for w in weights)
    graded = {p.name: p.graded for p in recording.header.populations}
    if model_of(recording.header.populations[0].neuron).is_port:  # sends what it is given
        graded[recording.names[0]] = graded_inputs
    operations = {"Effective_MACs": 0.0, "Effective_ACs": 0.0, "Dense": 0.0}
    for projection in network.projections:
        counts = recording[projection.source].counts.reshape(recording.samples, -1)
        kind = "Effective_MACs" if graded[projection.source] else "Effective_ACs"
        effective = (counts @ network.fan_out(projection)).mean()
        dense = network.fan_out(projection, dense=True).sum() * recording.steps
        operations[kind] += float(effective)
        operations["Dense"] += float(dense)
    return {
        "Footprint": total * bytes_per_weight,
        "ConnectionSparsity": zeros / total if total else 0.0,
        "ActivationSparsity": _activation_sparsity(recording),
        "SynapticOperations": operations,
        "MembraneUpdates": _membrane_updates(recording),
    }


def ndns_proxy(profile: Profile, step_seconds: float, latency_seconds: float) -> dict[str, float]:
    """Power proxy of Intel's Neuromorphic DNS challenge, and its product with the latency.

    ``(SynOps + 10 NeuronOps) / second``, in real time: a step stands for `step_seconds` of
    audio. Every neuron of the network counts, also of an encoder on the host. Source:
    IntelNeuromorphicDNSChallenge, README; ``tao-sun/dpsnn``, ``vctk_trainer.py``.

    Parameters
    ----------
    profile : Profile
    step_seconds : float
        Seconds of signal that one time step stands for (0.008 in the baseline).
    latency_seconds : float
        From a sample's arrival to its output, of encoder, network and decoder together.

    Returns
    -------
    dict
        ``power_proxy`` in operations per second, ``pdp_proxy`` in operations.

    Raises
    ------
    InputError
        If the step is not longer than 0 s, or the latency is below 0 s.
    """
    if not step_seconds > 0 or not latency_seconds >= 0:
        raise InputError(
            f"N-DNS proxy: step {step_seconds:g} s, latency {latency_seconds:g} s; give a step "
            f"longer than 0 s (0.008 in the baseline) and a latency of at least 0 s"
        )
    seconds = profile.steps * step_seconds
    updates = profile.neuron_updates + profile.host_updates
    return proxies(profile.synops, updates, seconds, latency_seconds)


def proxies(
    synops: float, neuron_updates: float, seconds: float, latency_seconds: float
) -> dict[str, float]:
    """`ndns_proxy` of events counted over so many seconds of signal."""
    power = (synops + 10 * neuron_updates) / seconds
    return {"power_proxy": power, "pdp_proxy": power * latency_seconds}


def _computes(population: PopulationHeader) -> bool:
    """Whether a population has neurons, on the chip or on the host."""
    return model_of(population.neuron).runs_on_host != "always"


def _activation_sparsity(recording: Recording) -> float:
    """Part of all neuron steps in which a neuron of the network sent nothing."""
    sent = silent = 0.0
    for population in recording.header.populations:
        if _computes(population):
            messages = float(recording[population.name].counts.sum())
            sent += messages
            silent += population.size * recording.steps * recording.samples - messages
    return silent / (sent + silent) if sent + silent else 0.0


def _membrane_updates(recording: Recording) -> float:
    """Changes of v from one step to the next, per sample, over all neurons.

    As NeuroBench has it, all neurons count in their first step, that in which the first
    input reaches them.
    """
    changes = 0
    for population in recording.header.populations:
        record = recording[population.name]
        if not _computes(population):
            continue
        if not record.has("v"):
            return math.nan
        v = record.v
        changed = v[:, 1:] != v[:, :-1]
        first = population.hops
        changes += int(np.count_nonzero(changed[:, : max(0, first - 1)]))
        changes += int(np.count_nonzero(changed[:, first:]))
        changes += recording.samples * population.size if recording.steps > first else 0
    return changes / recording.samples
