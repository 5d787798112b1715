"""Arrays and files <-> input spikes and payloads."""

from .arrays import Presented, present, read_inputs

__all__ = ["Presented", "present", "read_inputs"]
