"""Synapse operators of the engine, one module each; `DELIVERIES` says which it has."""

from .base import Delivery
from .conv import ConvDelivery, wrap_currents
from .dense import DenseDelivery
from .readout import GroupDelivery

DELIVERIES: dict[str, type[Delivery]] = {
    "dense": DenseDelivery,
    "conv": ConvDelivery,
    "readout": GroupDelivery,
}
"""By the operator's ``kind``."""

__all__ = ["DELIVERIES", "Delivery", "wrap_currents"]
