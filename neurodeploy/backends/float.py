"""The `float` backend: a network as it was trained, in float32, before it is quantized."""

from __future__ import annotations

import time

from .._version import __version__
from ..errors import UnsupportedError
from ..inputs import Presented
from ..network import Network
from ..recording import Recording, RecordingWriter
from ..recording.assemble import BlockAssembler, header_of
from ..recording.run_options import RunOptions


def available() -> tuple[bool, str]:
    """Whether this backend runs here, and what it is or lacks."""
    return True, f"neurodeploy {__version__}, float32, for networks that are not quantized yet"


def run(network: Network, values: Presented, options: RunOptions) -> Recording:
    """Run a float network on the clock of the framework that trained it.

    Feed-forward projections deliver in the step in which a message is sent, so
    no population lags the input: the recording's hops are 0, by which `compare`
    lines it up with a recording of the quantized network.

    Parameters
    ----------
    network : Network
        One whose neurons are `FloatLIF`.
    values : Presented
    options : RunOptions

    Returns
    -------
    Recording
        u, v and payloads of readouts in float32.

    Raises
    ------
    UnsupportedError
        If the network computes in integers, or an element has no float mode.
    """
    from ..engine.floating import simulate

    if not network.is_float:
        kind = network.output.neuron.kind
        raise UnsupportedError(
            f"population {network.output.name!r}: {kind} neurons compute in integers; run the "
            f"network on backend 'engine'"
        )
    if options.reset_interval is not None:
        raise UnsupportedError(
            f"reset_interval: {options.reset_interval}; the float backend starts each sample from "
            f"zero state and resets nothing in between; leave it out"
        )
    states = tuple(name for name in ("u", "v") if name in options.record)
    header = header_of(network, "float", __version__, options)
    started = time.perf_counter()
    with RecordingWriter(header, options.out) as writer:
        assembler = BlockAssembler(network, options, writer)
        for block in simulate(network, values, states=states):
            assembler.add(
                {name: result.sent for name, result in block.items()},
                {name: result.states for name, result in block.items()},
            )
            if options.progress is not None:
                options.progress(assembler.samples, len(values))
        seconds = time.perf_counter() - started
        inputs = values.fingerprint()
        writer.finish(samples=assembler.samples, seconds=seconds, inputs=inputs)
    return writer.recording()
