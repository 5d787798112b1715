"""Into and out of `Network`: one module per file format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..network import Network


def load(source: str | os.PathLike[str] | Any, **options: Any) -> Network:
    """Read a network; the format is told by what the file holds.

    Parameters
    ----------
    source : path or torch.nn.Module
        A NetX HDF5 file, or a module of SLAYER blocks.
    **options
        See `netx.load_netx`; for a module `slayer.export_slayer`: ``example``,
        ``shape``, ``allow``.

    Returns
    -------
    Network

    Raises
    ------
    FormatError, NetworkError, UnsupportedError
        One line that names the element and what to do.
    """
    from .slayer.importing import is_torch_module

    if is_torch_module(source):
        from .slayer import load_slayer

        return load_slayer(source, **options)
    from .netx import load_netx

    return load_netx(source, **options)


def save(network: Network, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a network; the format is told by the suffix: ``.net`` is NetX HDF5.

    Every network can be written, and read back the same, see `netx_writer`.

    Parameters
    ----------
    network : Network
    path : path
    **options
        ``netx_only=True`` refuses what programs that know NetX alone cannot read.

    Raises
    ------
    FormatError
        If the suffix is unknown or nothing can be written there.
    UnsupportedError
        If the format cannot hold an element.
    """
    from .netx_writer import save_netx

    suffix = Path(path).suffix.lower()
    if suffix not in (".net", ".h5", ".hdf5"):
        raise FormatError(f"{path}: unknown network suffix {suffix!r}; write .net (NetX HDF5)")
    save_netx(network, path, **options)
