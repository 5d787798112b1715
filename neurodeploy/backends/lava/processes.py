"""Builds a network as Lava processes and runs it; imported only inside a worker.

All populations are flat, in (C, H, W) order; Lava's Conv works in (W, H, C)
order, so its ports are reshaped and transposed. The process models that run
are those of `models`.
"""

from __future__ import annotations

import json
import math
import mmap
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer as LavaSource
from numpy.typing import NDArray

from ...network import Network, Population, Projection
from ...recording.assemble import header_of, with_host_part
from ...recording.learning import WEIGHTS, LearnedArrays
from ...recording.run_options import RunOptions
from ...remote.blocks import Blocks
from ...remote.worker import WorkerError
from ...targets.lava_rules import check_inputs, starts_by_itself
from ...targets.rewrite.late_bias import quiet_voltage
from .build import (
    are_graded,
    conv,
    currents_into,
    is_conv,
    matrix,
    message_bits,
    neurons,
    parts_of,
)
from .learning import ATTRIBUTES, TRACES, learning_dense
from .models import MODELS

Spikes: TypeAlias = "dict[str, NDArray[np.int32]]"
States: TypeAlias = "dict[str, dict[str, NDArray[np.int32]]]"

BLOCK_ELEMENTS = 1 << 23
"""Recorded int32 values that one block of samples may hold (32 MiB)."""

BLOCK_SAMPLES = 64

BLOCK_STEPS = 1 << 10
"""Time steps of a block, some seconds of Lava: what a run that is ended midway loses at most."""

JOIN_SECONDS = 2.0

POLL_SECONDS = 0.1

CHANNEL_SLOTS = 2
"""Messages that a Lava channel buffers: one, as processes run in lockstep, and one to spare."""


def run_network(network: Network, values: NDArray[np.int32], options: RunOptions) -> None:
    """Run a network on Lava and write the recording to ``options.out``; see `lava.run`."""
    assert options.out is not None
    folder = options.out.parent
    blocks = Blocks(folder, network, options, len(values))
    graded = are_graded(values)
    check_inputs(network, int(np.abs(values.astype(np.int64)).max(initial=0)))
    whole = [(0, len(values))]
    if options.learn_across_samples and blocks.gaps() not in ([], whole):
        raise WorkerError(
            "lava: samples that learn one after the other cannot go on in the middle; run the job "
            "again in a new folder"
        )
    for first, end in blocks.gaps():
        simulation = Simulation(network, values[first:end], options, folder, graded)
        for start in range(first, end, simulation.block):
            count = min(simulation.block, end - start)
            began = time.perf_counter()
            simulation.run(count)
            seconds = time.perf_counter() - began
            recorded = simulation.block_recorded(start - first, count)
            measured = {"seconds": seconds}
            last = start + count == len(values)
            blocks.add(start, *recorded, measured, simulation.block_learned(count, last))
        simulation.stop()
    header = header_of(network, "lava", f"lava-nc {version('lava-nc')}", options)
    blocks.join(header, seconds=sum(measured["seconds"] for *_, measured in blocks.measured))


class Simulation:
    """A network as Lava processes, ready to run samples one after the other.

    Parameters
    ----------
    network : Network
    values : int32 [samples, steps, *input shape]
    options : RunOptions
    folder : Path
        Where Lava's processes leave their errors.
    graded_input : bool
        See `build.are_graded`; of all samples, though only some may run.

    Attributes
    ----------
    block : int
        How many samples at most to run at once, so that memory stays bounded.
    """

    def __init__(
        self,
        network: Network,
        values: NDArray[np.int32],
        options: RunOptions,
        folder: Path,
        graded_input: bool,
    ) -> None:
        self.network = network
        self.options = options
        self.folder = folder
        self.values = values.reshape(len(values) * options.steps, network.input.size)
        self.graded_input = graded_input
        on_lava = [p for p in network.populations if not p.neuron.sums_on_host]
        recorded = {
            p.name: ("spikes", *(s for s in p.neuron.states if s in options.record))
            for p in on_lava
            if not p.neuron.is_port
        }
        columns = sum(network[name].size * len(what) for name, what in recorded.items())
        fitting = BLOCK_ELEMENTS // max(1, options.steps * columns)
        short = BLOCK_STEPS // options.steps
        self.block = max(1, min(len(values), BLOCK_SAMPLES, fitting, short))
        rows = self.block * options.steps
        self.learned = {
            p.name: _learned_arrays(network, p, self.block, options) for p in network.learning
        }
        self.traces = {
            name: {w: _shared_array(rows, network[name].size) for w in what}
            for name, what in recorded.items()
        }
        self._common = {"folder": folder, "steps": options.steps, "rows": rows}
        self._processes = {p.name: self._population(p) for p in on_lava}
        if not network.input.neuron.is_port:
            source = self._prepare(_source(self.values), "inputs", values=self.values)
            source.s_out.connect(self._processes[network.input.name].a_in)
        for projection in network.projections:
            if projection.synapse.steps:
                self._connect(projection)
        self._root = self._processes[network.input.name]
        self._root.create_runtime(
            Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=MODELS),
            compile_config={"pypy_channel_size": CHANNEL_SLOTS},
        )

    def run(self, samples: int) -> None:
        """Run the next `samples`, at most `block`."""
        steps = samples * self.options.steps
        run_watched(self._root, lambda: self._root.run(RunSteps(steps)), self._error_of)

    def stop(self) -> None:
        """End Lava's processes."""
        self._root.stop()

    def block_recorded(self, start: int, count: int) -> tuple[Spikes, States]:
        """Messages and states of the `count` samples from `start` on, if they ran last.

        Returns
        -------
        mapping of name to int32 [count, steps, neurons]
        mapping of name to mapping of state to the same
        """
        steps = self.options.steps
        spikes: Spikes = {}
        states: States = {}
        for population in self.network.populations:
            name, shape = population.name, (count, steps, population.size)
            if population.neuron.is_port:
                spikes[name] = self.values[start * steps : (start + count) * steps].reshape(shape)
            elif not population.neuron.sums_on_host:
                rows = {k: v[: count * steps].reshape(shape) for k, v in self.traces[name].items()}
                spikes[name] = rows.pop("spikes")
                states[name] = rows
        return with_host_part(self.network, spikes), states

    def _population(self, population: Population) -> Any:
        name, shape, neuron = population.name, (population.size,), population.neuron
        if neuron.is_port:
            return self._prepare(_source(self.values), name, values=self.values)
        reset = None
        interval = self.options.reset_interval
        if interval and neuron.states:
            reset = (interval, (self.options.reset_offset + 1 + self.network.hops(name)) % interval)
        first_v: Any = population.initial_voltage
        rests = 0
        if (start := population.starts) and not starts_by_itself(self.network, population):
            # By a reset just then, once; until then nothing may be sent.
            reset = (self.options.steps + start + 1, start + 1)
            first_v, rests = quiet_voltage(neuron, population.size, start), start
        process = neurons(neuron, shape)
        if np.any(bias := np.asarray(neuron.constant_current)):
            values = np.zeros((self.options.steps, population.size), np.int32)
            values[population.starts :] = bias
            constant = self._prepare(_source(values), f"bias of {name}", values=values)
            constant.s_out.connect(process.a_in)
        how = {"traces": self.traces[name], "reset": reset, "first_v": first_v}
        how["rests"] = rests
        return self._prepare(process, name, **how)

    def block_learned(self, count: int, last: bool) -> LearnedArrays:
        """What the `count` samples that ran last learned; `last` of all, if one after the other."""
        across = self.options.learn_across_samples
        found: LearnedArrays = {}
        for projection in self.network.learning:
            assert projection.rule is not None
            name, epochs = projection.name, self.options.steps // projection.rule.epoch
            targets, sources = (
                self.network[e].size for e in (projection.target, projection.source)
            )
            found[name] = {}
            for what, rows in self.learned[name].items():
                group, _, variable = what.partition("/")
                shape = (targets, sources) if variable in ATTRIBUTES else (rows.shape[1],)
                times = (count,) if group == "learned" else (count, epochs)
                held = rows[: math.prod(times)].reshape(*times, *shape).astype(np.int16)
                if group == "learned" and across:
                    if last:
                        found[name][what] = held[-1:]
                    continue
                found[name][what] = held
        return found

    def _connect(self, projection: Projection) -> None:
        target = self._processes[projection.target]
        if projection.into == "third-factor":
            self._connect_part(projection, target.a_third_factor_in)
            return
        for part, a_in in zip(parts_of(projection), currents_into(target), strict=True):
            self._connect_part(part, a_in)

    def _connect_part(self, projection: Projection, a_in: Any) -> None:
        source, target = self.network[projection.source], self.network[projection.target]
        bits = message_bits(source.neuron, self.graded_input)
        s_out = self._processes[source.name].s_out
        if projection.rule is not None:
            how = {
                "learned": self.learned[projection.name],
                "across": self.options.learn_across_samples,
            }
            process = self._prepare(learning_dense(projection, bits), projection.name, **how)
            s_out.connect(process.s_in)
            process.a_out.connect(a_in)
            neurons = self._processes[target.name]
            neurons.s_out.connect(process.s_in_bap)
            if projection.rule.factors == "three":
                for name in ("y1", "y2", "y3"):
                    getattr(neurons, f"s_out_{name}").connect(getattr(process, f"s_in_{name}"))
        elif is_conv(projection.synapse):
            process = self._prepare(conv(projection.synapse, source.shape, bits), projection.name)
            s_out.reshape(source.shape).transpose((2, 1, 0)).connect(process.s_in)
            process.a_out.transpose((2, 1, 0)).reshape((target.size,)).connect(a_in)
        else:
            process = self._prepare(matrix(projection, source, bits), projection.name)
            s_out.connect(process.s_in)
            process.a_out.connect(a_in)

    def _prepare(self, process: Any, label: str, **parameters: Any) -> Any:
        """Give a process what its `sample_by_sample.SampleBySample` reads."""
        settings = {
            **self._common,
            "label": label,
            "traces": {},
            "reset": None,
            "first_v": 0,
            "rests": 0,
            **parameters,
        }
        for key, value in settings.items():
            process.proc_params.overwrite(key, value)
        return process

    def _error_of(self, actor: Any) -> Exception:
        multiprocessing.Process.join(actor, JOIN_SECONDS)  # Lava's own knows no limit
        report = self.folder / f"child-{actor.pid}.json"
        if report.is_file():
            return WorkerError.from_report(json.loads(report.read_text()), "lava")
        return WorkerError(
            f"lava: one of its processes ended with exit code {actor.exitcode} while it ran; if "
            f"memory ran out, run a smaller network or fewer steps"
        )


def run_watched(root: Any, call: Callable[[], None], error_of: Callable[[Any], Exception]) -> None:
    """Call what runs Lava processes, and end when they do.

    Lava waits for ever for a process of its that has died; this waits for
    either, the end of the run or the end of a process.

    Parameters
    ----------
    root : lava process
        Any of those that run.
    call : callable
        Runs them, and compiles them first if they are not.
    error_of : callable
        Makes an error of a process that has died.
    """
    reader, writer = os.pipe()
    failure: list[BaseException] = []

    def run_lava() -> None:
        try:
            call()
        except BaseException as error:
            failure.append(error)
        os.write(writer, b".")

    threading.Thread(target=run_lava, daemon=True).start()
    ready: list[Any] = []
    while not ready:  # looking again each time, because processes start one by one
        infrastructure = getattr(root.runtime, "_messaging_infrastructure", None)
        actors = list(infrastructure.actors) if infrastructure else []
        ready = wait([reader, *(actor.sentinel for actor in actors)], POLL_SECONDS)
    if reader not in ready:
        raise error_of(next(a for a in actors if a.sentinel in ready))
    os.close(reader)
    os.close(writer)
    if failure:
        raise failure[0]


def _learned_arrays(
    network: Network, projection: Projection, samples: int, options: RunOptions
) -> dict[str, NDArray[np.int32]]:
    """Shared arrays for what a projection learns, by their names in a recording."""
    rule = projection.rule
    assert rule is not None
    targets, sources = network[projection.target].size, network[projection.source].size
    rows = samples * (options.steps // rule.epoch)
    made = {}
    for name in (n for n in ATTRIBUTES if n == "w" or rule.equation_of(n)):
        made[f"learned/{name}"] = _shared_array(samples, targets * sources)
        if WEIGHTS in options.record:
            made[f"epochs/{name}"] = _shared_array(rows, targets * sources)
    if WEIGHTS in options.record:
        for name in TRACES:
            made[f"epochs/{name}"] = _shared_array(rows, sources if name[0] == "x" else targets)
    return made


def _source(values: NDArray[np.int32]) -> Any:
    """Lava's RingBuffer; the values themselves are shared and not copied into a Var."""
    return LavaSource(data=np.zeros((values.shape[1], 1), np.int32))


def _shared_array(rows: int, columns: int) -> NDArray[np.int32]:
    """Zeros that this process and the Lava processes forked from it all see."""
    memory = mmap.mmap(-1, max(1, 4 * rows * columns))
    return np.frombuffer(memory, np.int32, rows * columns).reshape(rows, columns)
