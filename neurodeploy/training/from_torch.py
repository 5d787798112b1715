"""Weights of a torch module for a float network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..network import Network
from ..quantization.weights import with_weight


def from_torch(network: Network, module: Any, names: dict[str, str]) -> Network:
    """Take the weights of a plain torch spiking module into a float network.

    Parameters
    ----------
    network : Network
        Float; says neurons and wiring.
    module : torch.nn.Module
    names : dict of str to str
        Projection name (``source->target``) to the module's parameter, e.g. ``fc1.weight``.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If a name is unknown, fits several projections, or a shape differs.
    """
    parameters = dict(module.named_parameters())
    projections = []
    there = [p.name for p in network.projections]
    for name in names:
        if there.count(name) != 1:
            raise InputError(
                f"names: {there.count(name)} projections {name!r} in the network, needs one; there "
                f"are {', '.join(there)}"
            )
    if network.projections and not network.is_float:
        raise InputError("network: in integers; give a float network")
    for projection in network.projections:
        if projection.name in names:
            key = names[projection.name]
            if key not in parameters:
                raise InputError(f"{projection.name}: the module has no parameter {key!r}")
            weight = parameters[key].detach().cpu().numpy().astype(np.float32)
            shape = projection.synapse.only_array.shape
            if weight.squeeze().shape != tuple(n for n in shape if n != 1):
                raise InputError(
                    f"{projection.name}: parameter {key!r} has shape {weight.shape}, needs {shape}"
                )
            synapse = with_weight(projection.synapse, weight.reshape(shape))
            projection = replace(projection, synapse=synapse)
        projections.append(projection)
    return replace(network, projections=tuple(projections))
