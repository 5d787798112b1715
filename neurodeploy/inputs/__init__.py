"""Arrays and files <-> input spikes and payloads."""

from .arrays import (
    Presented,
    as_samples,
    draining_steps,
    order_axes,
    present,
    range_of,
    read_inputs,
    read_labels,
    warn_of_time_first,
)

__all__ = [
    "Presented",
    "as_samples",
    "draining_steps",
    "order_axes",
    "present",
    "range_of",
    "read_inputs",
    "read_labels",
    "warn_of_time_first",
]
