"""``nd.load``: a file as it is, a torch module with what its conversion changed, measured."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .. import formats
from ..formats.slayer import EXAMPLE_STEPS, export_slayer, is_torch_module
from ..network import Network
from .options import names_of


def load(source: str | os.PathLike[str] | Any, *, measure: bool = True, **options: Any) -> Network:
    """Read a network; the format is told by what the file holds.

    Parameters
    ----------
    source : path or torch.nn.Module
        A NetX HDF5 file, a NIR graph, or a module of SLAYER blocks.
    measure : bool
        Of a module: run the engine on the example, too, and write into the
        audit by how much each approximation changes what SLAYER's CPU forward
        pass gave there.
    **options
        As `formats.load`: for NetX allow, input_shape; for NIR dt, preset,
        reset, allow; for a module example, shape, allow, static.

    Returns
    -------
    Network

    Raises
    ------
    FormatError, NetworkError, UnsupportedError
        See the reader of the format.
    """
    if "allow" in options:
        options["allow"] = names_of(options["allow"])
    if not (measure and is_torch_module(source)):
        return formats.load(source, **options)
    from .slayer import agree, audited

    if options.get("example") is None:
        length = "one image" if options.get("static") else f"{EXAMPLE_STEPS} steps"
        what = f"a random example of {length}, seed 0"
    else:
        what = f"the given example of shape {np.shape(options['example'])}"
    export = export_slayer(source, **options)
    return audited(export, agree(export), what)
