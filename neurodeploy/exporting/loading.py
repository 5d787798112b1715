"""``nd.load``: a file as it is, and what its conversion changed or had to assume, measured."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import formats
from ..network import Audit, Effect, Network
from ..network.audit import relative_error
from ..recording.run_options import names_of

ASSUMED_STEPS = 100
"""Of the random example on which what a NIR graph does not say is measured."""

EXAMPLE_RATE = 0.3


def load(
    source: str | os.PathLike[str] | Any,
    *,
    measure: bool = True,
    example: ArrayLike | None = None,
    **options: Any,
) -> Network:
    """Read a network; the format is told by what the file holds.

    Parameters
    ----------
    source : path or torch.nn.Module
        A NetX HDF5 file, a NIR graph, or a module of SLAYER blocks.
    measure : bool
        Of a module: run the engine on the example, too, and write into the
        audit by how much each approximation changes what SLAYER's CPU forward
        pass gave there. Of a NIR graph: write into the audit how many messages
        hang on what the file does not say and the reader assumed.
    example : array, optional
        What that is measured on: of a module as it takes it, of a NIR graph
        inputs [steps, *shape] or [samples, steps, *shape]. Random by default.
    **options
        As `formats.load`: for NetX allow, input_shape; for NIR dt, preset,
        reset, reset_delay, allow; for a module shape, allow, static.

    Returns
    -------
    Network

    Raises
    ------
    FormatError, NetworkError, UnsupportedError
        See the reader of the format.

    Examples
    --------
    >>> net = nd.load("digits.net")
    >>> [population.name for population in net]
    ['input', '0_dense', '1_dense']
    """
    if "allow" in options:
        options["allow"] = names_of(options["allow"])
    if not formats.is_torch_module(source):
        if measure and formats.is_nir(source):
            return _load_nir(source, example, options)
        return formats.load(source, **options)
    if example is not None:
        options["example"] = example
    if not measure:
        return formats.load(source, **options)
    from ..formats.slayer import EXAMPLE_STEPS, export_slayer
    from .forward_pass import compare_forward_pass, with_measured_audit

    if options.get("example") is None:
        length = "one image" if options.get("static") else f"{EXAMPLE_STEPS} steps"
        what = f"a random example of {length}, seed 0"
    else:
        what = f"the given example of shape {np.shape(options['example'])}"
    export = export_slayer(source, **options)
    return with_measured_audit(export, compare_forward_pass(export), what)


def _load_nir(
    path: str | os.PathLike[str], example: ArrayLike | None, options: dict[str, Any]
) -> Network:
    """Read a NIR graph, and again in the other way where one had to be chosen."""
    formats.check_options(path, options)
    from ..formats.nir import read_nir

    network, assumptions = read_nir(path, **options)
    if not assumptions:
        return network
    if example is None:
        shape = (1, ASSUMED_STEPS, *network.input.shape)
        inputs = (np.random.default_rng(0).random(shape) < EXAMPLE_RATE).astype(np.float32)
        what = f"a random example of {ASSUMED_STEPS} steps, seed 0"
    else:
        inputs = np.asarray(example)
        what = f"the given example of shape {inputs.shape}"
    entries = list(network.audit)
    for assumption in assumptions:
        other, _ = read_nir(path, **{**options, **assumption.other})
        name = assumption.population or _shows(network)
        effect = _effect(network, other, inputs, name, what)
        at = next(i for i, e in enumerate(entries) if e.element == assumption.element)
        entries[at] = replace(entries[at], effect=effect)
    return replace(network, audit=Audit(tuple(entries)))


def _shows(network: Network) -> str:
    """The last population that spikes, in which all that comes before shows."""
    spiking = [p.name for p in network.populations[1:] if not p.neuron.graded]
    return spiking[-1] if spiking else network.output.name


def _effect(
    network: Network, other: Network, inputs: np.ndarray[Any, Any], name: str, what: str
) -> Effect:
    """Hold two readings of a file against each other."""
    from ..backends import run

    pair = []
    for one in (network, other):
        recording = run(one, inputs, backend="float", record=("spikes",))
        pair.append((recording[name].spikes, recording.output))
    (mine, out), (theirs, end) = pair
    return Effect.measured(what, name, theirs, mine, relative_error(end, out))
