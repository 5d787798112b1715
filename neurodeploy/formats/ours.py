"""Our formats in the registry; their readers and writers are imported when they are used."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from ..network import Network
from .registry import FORMATS, Format, Path


def _groups_of(source: Any) -> frozenset[str]:
    """Names at the top of an HDF5 file; none of anything else."""
    if not isinstance(source, (str, os.PathLike)):
        return frozenset()
    try:
        state = os.stat(source)
    except OSError:
        return _names_at_top(FilePath(source), ())
    return _names_at_top(FilePath(source), (state.st_ino, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=1)  # each format asks
def _names_at_top(path: FilePath, state: tuple[int, ...]) -> frozenset[str]:
    from ..hdf5 import names_at_top

    return frozenset(names_at_top(path))


def _is_nir(held: frozenset[str]) -> bool:
    # A file without a version is NIR's, too: its reader says so.
    return "node" in held and ("version" in held or "layer" not in held)


def is_torch_module(thing: Any) -> bool:
    """Tell whether something is a ``torch.nn.Module``, without importing torch for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


@FORMATS.register
class SlayerModule(Format):
    """A torch module of SLAYER blocks."""

    name = "slayer"
    label = "a module"
    options = ("example", "shape", "allow", "static")

    def can_read(self, source: Any) -> bool:
        """See `Format`."""
        return is_torch_module(source)

    def load(self, source: Any, **options: Any) -> Network:
        """See `Format` and `slayer.export_slayer`."""
        from .slayer import load_slayer

        return load_slayer(source, **options)


@FORMATS.register
class NIR(Format):
    """The interchange format of the SNN frameworks."""

    name = "nir"
    label = "a NIR graph"
    suffixes = (".nir",)
    options = ("dt", "preset", "reset", "reset_delay", "allow")
    save_options = ("dt", "preset")

    def can_read(self, source: Any) -> bool:
        """See `Format`."""
        return _is_nir(_groups_of(source))

    def load(self, source: Any, **options: Any) -> Network:
        """See `Format` and `nir.load_nir`."""
        from .nir import load_nir

        return load_nir(source, **options)

    def save(self, network: Network, path: Path, **options: Any) -> None:
        """See `Format` and `nir.save_nir`."""
        from .nir import save_nir

        save_nir(network, path, **options)


@FORMATS.register
class NetX(Format):
    """The HDF5 of lava-dl, with the whole network beside its layers."""

    name = "netx"
    label = "NetX HDF5, whose time is in steps"
    suffixes = (".net", ".h5", ".hdf5")
    options = ("allow", "input_shape", "as_trained")
    save_options = ("netx_only",)

    def can_read(self, source: Any) -> bool:
        """See `Format`."""
        held = _groups_of(source)
        return not _is_nir(held) and bool(held & {"layer", "neurodeploy"})

    def load(self, source: Any, **options: Any) -> Network:
        """See `Format` and `netx.reader.load_netx`."""
        from .netx.reader import load_netx

        return load_netx(source, **options)

    def save(self, network: Network, path: Path, **options: Any) -> None:
        """See `Format` and `netx.writer.save_netx`."""
        from .netx.writer import save_netx

        save_netx(network, path, **options)
