"""A recording as arrays with named axes, for xarray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..display import imported
from .header import Header
from .population import PopulationRecord

_IMAGE = ("channel", "y", "x")


def to_dataset(records: Sequence[PopulationRecord], header: Header) -> Any:
    """Give an ``xarray.Dataset`` of what some populations recorded; see `Recording.to_xarray`."""
    xarray = imported("xarray", "tables")
    variables = {}
    for record in records:
        own = record.header
        axes = ("neuron",) if len(own.shape) == 1 else _IMAGE[-len(own.shape) :]
        inner = tuple(f"{own.name}/{axis}" for axis in axes)
        about = {"hops": own.hops, "neuron": own.neuron, "graded": int(own.graded)}
        for what in record.recorded:
            steps = () if what == "counts" else ("step",)
            variables[f"{own.name}/{what}"] = (("sample", *steps, *inner), record[what], about)
    return xarray.Dataset(
        variables,
        coords={"sample": np.arange(header.samples), "step": np.arange(header.steps)},
        attrs={
            "backend": f"{header.backend} {header.backend_version}",
            "network": header.network,
            "inputs": header.inputs,
            "seconds": header.seconds,
        },
    )
