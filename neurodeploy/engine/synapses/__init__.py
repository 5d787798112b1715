"""Synapse operators of the engine, one module each; `DELIVERIES` says which it has."""

from .base import KERNELS, Delivery
from .complex import ComplexDenseDelivery, ComplexPartsDelivery
from .conv import ConvDelivery, wrap_currents
from .dense import DenseDelivery
from .listed import DelayedDenseDelivery, OneToOneDelivery, SparseDelivery
from .pool import PoolDelivery
from .readout import GroupDelivery
from .temporal import TemporalFIRDelivery
from .transpose import ConvTransposeDelivery

DELIVERIES: dict[str, type[Delivery]] = {
    "dense": DenseDelivery,
    "delayed-dense": DelayedDenseDelivery,
    "complex-dense": ComplexDenseDelivery,
    "conv": ConvDelivery,
    "conv-transpose": ConvTransposeDelivery,
    "complex-conv": ComplexPartsDelivery,
    "complex": ComplexPartsDelivery,
    "pool": PoolDelivery,
    "unpool": PoolDelivery,
    "sparse": SparseDelivery,
    "one-to-one": OneToOneDelivery,
    "temporal-fir": TemporalFIRDelivery,
    "readout": GroupDelivery,
}
"""By the operator's ``kind``."""

__all__ = ["DELIVERIES", "KERNELS", "Delivery", "wrap_currents"]
