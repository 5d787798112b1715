"""The float32 mode: what was trained, run on the clock of the framework that trained it."""

from .simulate import simulate

__all__ = ["simulate"]
