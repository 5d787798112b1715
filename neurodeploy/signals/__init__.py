"""Arrays and files <-> input spikes and payloads."""

from .arrays import Presented, present, read_inputs, read_labels

__all__ = ["Presented", "present", "read_inputs", "read_labels"]
