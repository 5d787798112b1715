"""Arrays and files <-> input spikes and payloads."""

from .arrays import fingerprint, present, read_inputs

__all__ = ["fingerprint", "present", "read_inputs"]
