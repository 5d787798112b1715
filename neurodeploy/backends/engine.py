"""Our own fixed-point simulator as a backend."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .._version import __version__
from ..core.library import library
from ..core.simulate import BlockResults, simulate
from ..errors import BackendError
from ..inputs import Presented
from ..network import Network
from ..recording import Recording, RecordingWriter
from ..recording.assemble import BlockAssembler, header_of
from ..recording.learning import WEIGHTS, LearnedArrays
from ..recording.run_options import RunOptions, recorded_states, refuse_floats
from .registry import BACKENDS, Backend

BESIDE_BYTES = 1 << 20
"""Inputs whose hashing takes longer than starting a thread for it."""


def thread_count() -> int:
    """``NEURODEPLOY_THREADS``, else the cores this process may use."""
    text = os.environ.get("NEURODEPLOY_THREADS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdigit() or int(text) < 1:
        raise BackendError(f"NEURODEPLOY_THREADS: {text!r}; give a whole number of at least 1")
    return int(text)


@BACKENDS.register
class Engine(Backend):
    """Our own fixed-point simulator, in this process."""

    name = "engine"
    options = frozenset({"threads"})

    def available(self) -> tuple[bool, str]:
        """See `Backend`."""
        from ..core.library import unit_in_use

        try:
            unit = unit_in_use()
        except BackendError as error:
            return False, str(error)
        return True, f"neurodeploy {__version__}, {thread_count()} threads, {unit}"

    def check(self, network: Network, options: RunOptions) -> None:
        """See `Backend`."""
        refuse_floats(network)

    def run(self, network: Network, values: Presented, options: RunOptions) -> Recording:
        """See `Backend`."""
        states = recorded_states(network, options)
        messages = None if "spikes" in options.record else (network.output.name,)
        header = header_of(network, "engine", __version__, options)
        library()  # compiled at its first use, which is no time of a run
        started = time.perf_counter()
        fingerprint = _fingerprint_of(values)
        with RecordingWriter(header, options.out) as writer:
            assembler = BlockAssembler(network, options, writer)
            for block in simulate(
                network,
                values,
                messages=messages,
                states=states,
                threads=options.threads or thread_count(),
                reset_interval=options.reset_interval,
                reset_offset=options.reset_offset,
                trajectories=WEIGHTS in options.record,
                learn_across_samples=options.learn_across_samples,
            ):
                last = assembler.samples + block.samples == len(values)
                assembler.add_block(block.samples, block, _learned_of(block, options, last))
                if options.progress is not None:
                    options.progress(assembler.samples, len(values))
            seconds = time.perf_counter() - started
            writer.finish(samples=assembler.samples, seconds=seconds, inputs=fingerprint())
        return writer.recording()


def _learned_of(block: BlockResults, options: RunOptions, last: bool) -> LearnedArrays:
    """What a block learned; of samples that learned one after the other, what the last left."""
    across = options.learn_across_samples
    return {
        name: {
            **{
                f"learned/{variable}": after[-1:] if across else after
                for variable, after in learned.after.items()
                if last or not across
            },
            **{f"epochs/{n}": array for n, array in {**learned.epochs, **learned.traces}.items()},
            "weight_updates": learned.updates,
            "trace_updates": learned.trace_updates,
        }
        for name, learned in block.learned.items()
    }


def _fingerprint_of(values: Presented) -> Callable[[], str]:
    """Hash large inputs beside the run, which leaves a core idle where there is one sample."""
    if values.given.nbytes < BESIDE_BYTES or (
        values.held and values.once.given.nbytes < BESIDE_BYTES
    ):
        return values.fingerprint
    from concurrent.futures import ThreadPoolExecutor  # which a short run can do without

    pool = ThreadPoolExecutor(1)
    found = pool.submit(values.fingerprint)
    pool.shutdown(wait=False)
    return found.result
