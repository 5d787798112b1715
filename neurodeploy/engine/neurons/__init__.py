"""Neuron models of the engine, one module a family; `STEPPERS` says which it has."""

from .base import Stepper
from .cuba import CubaStepper
from .sigma_delta import RelayStepper, SigmaDeltaStepper, SigmaStepper

STEPPERS: dict[str, type[Stepper]] = {
    "source": RelayStepper,
    "average": RelayStepper,
    "cuba-lif": CubaStepper,
    "delta": SigmaDeltaStepper,
    "sigma-delta": SigmaDeltaStepper,
    "sigma": SigmaStepper,
}
"""By the model's ``kind``."""

__all__ = ["STEPPERS", "Stepper"]
