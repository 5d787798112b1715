"""The `float` backend: a network as it was trained, in float32, before it is quantized."""

from __future__ import annotations

import time

from .._version import __version__
from ..errors import UnsupportedError
from ..inputs import Presented
from ..network import Network
from ..recording import Recording, RecordingWriter
from ..recording.assemble import BlockAssembler, header_of
from ..recording.run_options import RunOptions, recorded_states
from .engine import Engine, thread_count
from .registry import BACKENDS, Backend


@BACKENDS.register
class Float(Backend):
    """A float network on the clock of the framework that trained it.

    Feed-forward projections deliver in the step in which a message is sent, so
    no population lags the input: the recording's hops are 0, by which `compare`
    lines it up with a recording of the quantized network. It holds u, v and payloads
    of readouts in float32.
    """

    name = "float"
    options = frozenset({"threads"})
    runs_floats = True

    def available(self) -> tuple[bool, str]:
        """See `Backend`."""
        works, found = Engine().available()  # both run in the core
        purpose = ", float32, for networks that are not quantized yet" if works else ""
        return works, found + purpose

    def check(self, network: Network, options: RunOptions) -> None:
        """See `Backend`."""
        if not network.is_float:
            kind = network.output.neuron.kind
            raise UnsupportedError(
                f"population {network.output.name!r}: {kind} neurons compute in integers; run the "
                f"network on backend 'engine'"
            )
        if options.reset_interval is not None:
            raise UnsupportedError(
                f"reset_interval: {options.reset_interval}; the float backend starts each sample "
                f"from zero state and resets nothing in between; leave it out"
            )

    def run(self, network: Network, values: Presented, options: RunOptions) -> Recording:
        """See `Backend`."""
        from ..core.floating import simulate

        states = recorded_states(network, options)
        threads = options.threads or thread_count()
        header = header_of(network, "float", __version__, options)
        started = time.perf_counter()
        with RecordingWriter(header, options.out) as writer:
            assembler = BlockAssembler(network, options, writer)
            for block in simulate(network, values, states=states, threads=threads):
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
