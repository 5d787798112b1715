"""Synapse operators: what a message becomes on its way to the next population.

Every projection takes one time step: what a population sends at step t enters
its target's ``a`` at step t + 1 (Lava buffers synaptic output by one step).
Operators with delays or taps in time add to that one step. In a float network
the step is left out (`Network.closes`), and weights are float32 in place of int32.
"""

from .base import Readout, Synapse
from .complex import Complex
from .conv import ComplexConv, Conv, ConvTranspose
from .dense import ComplexDense, DelayedDense, Dense
from .pool import Pool, Unpool
from .sparse import DelayedSparse, OneToOne, Sparse
from .temporal import TemporalFIR
from .winners import winners_drive, winners_loop

__all__ = [
    "Complex",
    "ComplexConv",
    "ComplexDense",
    "Conv",
    "ConvTranspose",
    "DelayedDense",
    "DelayedSparse",
    "Dense",
    "OneToOne",
    "Pool",
    "Readout",
    "Sparse",
    "Synapse",
    "TemporalFIR",
    "Unpool",
    "winners_drive",
    "winners_loop",
]
