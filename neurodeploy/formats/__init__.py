"""Into and out of `Network`: one module or package per format; `registry` says what one is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import FormatError, UnsupportedError
from ..files import check_place
from ..network import Network
from .ours import NIR, NetX, SlayerModule, is_torch_module
from .registry import FORMATS, Format


def load(source: str | os.PathLike[str] | Any, **options: Any) -> Network:
    """Read a network; the format is told by what the file holds.

    Parameters
    ----------
    source : path or torch.nn.Module
        A NetX HDF5 file, a NIR graph, a module of SLAYER blocks, or what another package reads.
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
    kind = format_of(source)
    check_options(source, options)
    return kind.load(source, **options)


def format_of(source: str | os.PathLike[str] | Any) -> Format:
    """Tell what format something has; NetX of HDF5 that nobody knows: its reader says what it is.

    Raises
    ------
    FormatError
        If nobody knows it and it is no HDF5 file.
    """
    for kind in FORMATS.values():
        if kind.can_read(source):
            return kind
    from ..hdf5 import open_hdf5
    from .hdf5 import check_hdf5

    check_hdf5(Path(source))
    open_hdf5(Path(source)).close()
    return FORMATS["netx"]


def check_options(source: str | os.PathLike[str] | Any, options: Iterable[str]) -> None:
    """Refuse an option that the format of `source` has not.

    Raises
    ------
    FormatError
    """
    kind = format_of(source)
    _refuse_unknown(source, kind, options, kind.options)


def _refuse_unknown(what: Any, kind: Format, options: Iterable[str], known: Iterable[str]) -> None:
    where = what if isinstance(what, (str, os.PathLike)) else type(what).__name__
    for name in options:
        if name not in known:
            others = ", ".join(known) or "none"
            raise FormatError(
                f"{where}: {name}: no option for {kind.label}; there are {others}; leave it out"
            )


def is_nir(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a NIR graph; see `format_of`."""
    return format_of(path).name == "nir"


def check_out(path: str | os.PathLike[str]) -> None:
    """Refuse a path that `save` will not write to; for asking before a long computation.

    Raises
    ------
    FormatError
        If the suffix is unknown, or there is no such folder.
    """
    _format_to_write(path)
    check_place(path)


def _format_to_write(path: str | os.PathLike[str]) -> Format:
    suffix = Path(path).suffix.lower()
    for kind in FORMATS.values():
        if suffix in kind.suffixes:
            return kind
    first = [f"{kind.suffixes[0]} ({kind.name})" for kind in FORMATS.values() if kind.suffixes]
    raise FormatError(f"{path}: unknown network suffix {suffix!r}; write {' or '.join(first)}")


def check_holds(network: Network, path: str | os.PathLike[str]) -> None:
    """Refuse a path whose format cannot hold a network; for asking before a long computation.

    The network is written to a temporary folder and thrown away, as `save` writes it.

    Raises
    ------
    FormatError, UnsupportedError
        As `save`.
    """
    from tempfile import TemporaryDirectory

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
        For NIR, see `nir.save_nir` (dt, preset). For NetX, ``netx_only=True`` refuses what
        programs that know NetX alone cannot read.

    Raises
    ------
    FormatError
        If the suffix is unknown or nothing can be written there.
    UnsupportedError
        If the format cannot hold an element.

    Examples
    --------
    >>> nd.save(net, "copy.net")
    >>> nd.load("copy.net") == net
    True
    """
    check_out(path)
    kind = _format_to_write(path)
    _refuse_unknown(path, kind, options, kind.save_options)
    kind.save(network, path, **options)


__all__ = [
    "FORMATS",
    "NIR",
    "Format",
    "NetX",
    "SlayerModule",
    "check_holds",
    "check_options",
    "check_out",
    "format_of",
    "is_nir",
    "is_torch_module",
    "load",
    "save",
]
