"""How recordings of the same network become one: what must be equal, what adds up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from .header import Header
from .population import Arrays

READ_BYTES = 1 << 24
"""Of one array in memory at once."""

EQUAL = (
    "backend",
    "backend_version",
    "network",
    "steps",
    "record",
    "populations",
    "projections",
    "reset_interval",
    "reset_offset",
)
"""Fields of a header that are the same in recordings that can be joined."""

PER_INFERENCE = (
    "energy_joules",
    "dynamic_joules",
    "static_joules",
    "seconds_per_step",
    "seconds_per_inference",
    "watts",
)
"""Figures of meters that are means over the samples of a recording."""

OF_NETWORK = ("axon_delay", "weights_clipped")
"""Arrays that hold one value for the network, not one for each sample."""


def joined_header(headers: Sequence[Header]) -> Header:
    """Build the header of several recordings, one behind the other.

    Samples and seconds add up. Means that a meter gave are means over all samples where every
    recording has them; its other figures, and what cores counted, are left out with a warning.

    Raises
    ------
    RecordingError
        If the recordings are not of the same network, backend, steps and record.
    """
    if not headers:
        raise RecordingError("join: no recordings; give at least one")
    first = headers[0]
    for number, header in enumerate(headers):
        for name in EQUAL:
            if getattr(header, name) != getattr(first, name):
                raise RecordingError(
                    f"join: recording {number} is of another {name} than recording 0 "
                    f"({_short(getattr(header, name))}, {_short(getattr(first, name))}); join "
                    f"recordings of one network, run in the same way"
                )
    samples = sum(header.samples for header in headers)
    everywhere = [n for n in PER_INFERENCE if all(n in h.measured for h in headers)]
    measured = {
        name: sum(h.measured[name] * h.samples for h in headers) / max(1, samples)
        for name in everywhere
    }
    warnings = dict.fromkeys(line for header in headers for line in header.warnings)
    left_out = {name for h in headers for name in (*h.measured, *h.counters)} - set(everywhere)
    if left_out and len(headers) > 1:
        names = ", ".join(sorted(left_out))
        warnings[f"joined of {len(headers)} recordings: {names} of the parts are left out"] = None
    elif left_out:
        measured = dict(first.measured)
    each = "".join(f" {h.inputs}" for h in headers).encode()
    inputs = hashlib.sha256(b"neurodeploy.joined.1" + each).hexdigest()
    return replace(
        first,
        samples=samples,
        seconds=sum(header.seconds for header in headers),
        inputs=first.inputs if len(headers) == 1 else inputs,
        measured=measured,
        counters=first.counters if len(headers) == 1 else {},
        warnings=tuple(warnings),
    )


def joined_arrays(parts: Sequence[Arrays]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield all arrays of several recordings, each under its name and piece by piece.

    Raises
    ------
    RecordingError
        If one lacks an array that another has, or what belongs to the network differs.
    """
    payloads = {key for arrays in parts for key in arrays if key.endswith("/payload")}
    names = dict.fromkeys((*parts[0], *sorted(payloads))).keys()
    for number, arrays in enumerate(parts):
        if different := names ^ {*arrays, *payloads}:
            raise RecordingError(
                f"join: array {min(different)!r} is in recording 0 or in recording {number}, not "
                f"in both; join recordings that recorded the same"
            )
    for key in names:
        if key.rpartition("/")[2] in OF_NETWORK:
            whole = np.asarray(parts[0][key][:])
            for number, arrays in enumerate(parts):
                if not np.array_equal(whole, arrays[key][:]):
                    raise RecordingError(
                        f"join: array {key!r} differs between recording 0 and {number}; join "
                        f"recordings of one network"
                    )
            yield key, whole
            continue
        for arrays in parts:
            array = arrays[key] if key in arrays else _ones(arrays, key)
            row = max(1, int(array.nbytes) // max(1, len(array)))
            rows = max(1, READ_BYTES // row)
            for start in range(0, max(1, len(array)), rows):
                yield key, np.asarray(array[start : start + rows])


def _ones(arrays: Arrays, key: str) -> NDArray[np.int32]:
    """Payloads of a recording that holds none because all are 1."""
    return np.ones(len(arrays[key.removesuffix("payload") + "neuron"]), np.int32)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
