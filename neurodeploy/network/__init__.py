"""Network = populations + projections, and the integer rules they follow."""

from .audit import Audit, AuditEntry, Rating
from .graph import InputTransform, Network, Population, Projection
from .neurons import Average, CubaLIF, Delta, Neuron, Sigma, SigmaDelta, Source
from .synapses import Conv, Dense, Readout, Synapse

__all__ = [
    "Audit",
    "AuditEntry",
    "Average",
    "Conv",
    "CubaLIF",
    "Delta",
    "Dense",
    "InputTransform",
    "Network",
    "Neuron",
    "Population",
    "Projection",
    "Rating",
    "Readout",
    "Sigma",
    "SigmaDelta",
    "Source",
    "Synapse",
]
