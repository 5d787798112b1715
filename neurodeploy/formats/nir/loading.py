"""Reads a NIR file: with the options that were given, or as a note of ours in it says."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...network import Network, Rating
from ..hdf5 import reading
from .graph import read_graph
from .integer_networks import as_fixed, facts_of, noted_reset, read_note
from .presets import preset_named
from .reader import Reader
from .resets import Assumption, Resets


def load_nir(path: str | os.PathLike[str], **options: Any) -> Network:
    """Read a NIR graph, with the options of `read_nir`.

    Parameters
    ----------
    path : path
    dt : float, optional
        Time step in the unit of the graph's time constants, seconds as NIR has it. May be
        left out where the graph implies it, see `clock.time_step`.
    preset : str, optional
        How time becomes discrete, one of `PRESETS`; the order of Lava and the chip by default.
    reset : {"hard", "soft", "none"} or mapping, optional
        To a value, by subtraction, or not at all, against the preset; NIR itself knows only the
        first. A mapping says it for each neuron node by its name, ``"*"`` for all others.
    reset_delay : bool, optional
        Of snnTorch's neurons: whether the reset comes a step after the spike, as is its default.
    allow : collection of str
        Elements rated unsupported to go on without, by the names that the error gives.

    Returns
    -------
    Network
        In float32 (`Network.is_float`), or in integers where `neurodeploy` wrote the file from
        such a network and nothing else is asked for. ``network.audit`` says how each node was read.

    Raises
    ------
    FormatError
        If the file is no NIR file, malformed, beyond a bound, or its time step is not known.
    NetworkError
        If nodes contradict each other.
    UnsupportedError
        If an element cannot be carried and `allow` does not name it, or `nir` is missing.
    """
    return read_nir(path, **options)[0]


def read_nir(
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    preset: str | None = None,
    reset: str | Mapping[str, str] | None = None,
    reset_delay: bool | None = None,
    allow: Collection[str] = (),
) -> tuple[Network, tuple[Assumption, ...]]:
    """Read a NIR graph and say what had to be assumed, so that it can be measured.

    Parameters and errors are those of `load_nir`.

    Returns
    -------
    Network, tuple of Assumption
    """
    with reading(Path(path)):
        graph = read_graph(Path(path))
        facts = facts_of(graph)
        noted = bool(facts) and reset is None
        written = noted and dt is None and preset is None and reset_delay is None
        if written:
            dt, preset, reset, reset_delay = read_note(graph.path, facts)
        elif noted:
            reset = noted_reset(facts)
        chosen = preset_named(preset).with_reset_delay(reset_delay)
        resets = Resets(graph, chosen, reset, known=written)
        reader = Reader(graph, resets, dt, frozenset(allow))
        if written and "axons" in facts:
            reader.axons = {a: b for a, b in reader.axons.items() if b in facts["axons"]}
        if written:
            reader.note(
                "metadata", Rating.FAITHFUL, "written by neurodeploy, which noted the above"
            )
        network = reader.network()
        if written and "fingerprint" in facts:
            return as_fixed(network, facts), ()
        return network, tuple(reader.assumptions)
