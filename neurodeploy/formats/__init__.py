"""Into and out of `Network`: one module per file format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import FormatError, UnsupportedError
from ..files import check_place
from ..network import Network

NETX_SUFFIXES = (".net", ".h5", ".hdf5")
NIR_SUFFIX = ".nir"


def load(source: str | os.PathLike[str] | Any, **options: Any) -> Network:
    """Read a network; the format is told by what the file holds.

    Parameters
    ----------
    source : path or torch.nn.Module
        A NetX HDF5 file, a NIR graph, or a module of SLAYER blocks.
    **options
        See `netx.load_netx` (allow, input_shape, as_trained) and `nir.load_nir` (dt, preset,
        reset, reset_delay, allow); for a module `slayer.export_slayer` (example, shape, allow).

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
    from .netx.reader import load_netx

    nir = check_options(source, options)
    if nir:
        from .nir import load_nir

        return load_nir(source, **options)
    return load_netx(source, **options)


def check_options(source: str | os.PathLike[str], options: Mapping[str, Any]) -> bool:
    """Refuse an option that a file's format has not; whether it is a NIR graph.

    Raises
    ------
    FormatError
    """
    nir = is_nir(source)
    known = (
        ("dt", "preset", "reset", "reset_delay", "allow")
        if nir
        else ("allow", "input_shape", "as_trained")
    )
    for name in options:
        if name not in known:
            kind = "a NIR graph" if nir else "NetX HDF5, whose time is in steps"
            raise FormatError(
                f"{source}: {name}: no option for {kind}; there are {', '.join(known)}; "
                f"leave it out"
            )
    return nir


def is_nir(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a NIR graph.

    Raises
    ------
    FormatError
        If it is no HDF5 file.
    """
    from .hdf5 import open_hdf5
    from .nir.file import has_nir_layout

    with open_hdf5(Path(path)) as file:
        # A file without a version is NIR's, too: its reader says so.
        return has_nir_layout(file) or ("node" in file and "layer" not in file)


def check_out(path: str | os.PathLike[str]) -> None:
    """Refuse a path that `save` will not write to; for asking before a long computation.

    Raises
    ------
    FormatError
        If the suffix is unknown, or there is no such folder.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (NIR_SUFFIX, *NETX_SUFFIXES):
        raise FormatError(
            f"{path}: unknown network suffix {suffix!r}; write .net (NetX HDF5) or .nir"
        )
    check_place(path)


def check_holds(network: Network, path: str | os.PathLike[str]) -> None:
    """Refuse a path whose format cannot hold a network; for asking before a long computation.

    The network is written to a temporary folder and thrown away, as `save` writes it.

    Raises
    ------
    FormatError, UnsupportedError
        As `save`.
    """
    check_out(path)
    with TemporaryDirectory() as folder:
        probe = Path(folder) / Path(path).name
        try:
            save(network, probe)
        except UnsupportedError as error:
            raise UnsupportedError(str(error).replace(str(probe), str(path))) from None


def save(network: Network, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a network; the format is told by the suffix: ``.net`` is NetX HDF5, ``.nir`` is NIR.

    NetX holds every network, to be read back the same, see `netx.writer`.

    Parameters
    ----------
    network : Network
    path : path
    **options
        For NIR, see `nir.save_nir` (dt). For NetX, ``netx_only=True`` refuses what
        programs that know NetX alone cannot read.

    Raises
    ------
    FormatError
        If the suffix is unknown or nothing can be written there.
    UnsupportedError
        If the format cannot hold an element.
    """
    check_out(path)
    if Path(path).suffix.lower() == NIR_SUFFIX:
        from .nir import save_nir

        save_nir(network, path, **options)
        return
    from .netx.writer import save_netx

    save_netx(network, path, **options)
