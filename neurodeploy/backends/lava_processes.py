"""Builds a network as Lava processes and runs it; imported only inside a worker.

All populations are flat, in (C, H, W) order; Lava's Conv works in (W, H, C)
order, so its ports are reshaped and transposed. The process models that run
are those of `lava_models`.
"""

from __future__ import annotations

import json
import mmap
import multiprocessing
import os
import threading
import time
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import DelayDense as LavaDelayDense
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.graded.process import GradedReluVec as LavaGradedReluVec
from lava.proc.graded.process import GradedVec as LavaGradedVec
from lava.proc.io.source import RingBuffer as LavaSource
from lava.proc.lif.process import LIF as LavaLIF
from lava.proc.lif.process import TernaryLIF as LavaTernaryLIF
from lava.proc.sdn.process import ActivationMode
from lava.proc.sdn.process import Delta as LavaDelta
from lava.proc.sdn.process import Sigma as LavaSigma
from lava.proc.sdn.process import SigmaDelta as LavaSigmaDelta
from lava.proc.sparse.process import Sparse as LavaSparse
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import (
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    GradedThreshold,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
    Sparse,
    TernaryLIF,
)
from ..network.fixed_point import ACTIVATION_SHIFT, PAYLOAD_BITS, SPIKE_EXPONENT, STATE_EXPONENT
from .assemble import header_of
from .blocks import Blocks
from .lava import lava_weight
from .lava_models import MODELS
from .options import RunOptions
from .worker import WorkerError

Spikes: TypeAlias = "dict[str, NDArray[np.int32]]"
States: TypeAlias = "dict[str, dict[str, NDArray[np.int32]]]"

BLOCK_ELEMENTS = 1 << 23
"""Recorded int32 values that one block of samples may hold (32 MiB)."""

BLOCK_SAMPLES = 64

BLOCK_STEPS = 1 << 10
"""Time steps of a block, some seconds of Lava: what a run that is ended midway loses at most."""

JOIN_SECONDS = 2.0

CHANNEL_SLOTS = 2
"""Messages that a Lava channel buffers: one, as processes run in lockstep, and one to spare."""


def run_network(network: Network, values: NDArray[np.int32], options: RunOptions) -> None:
    """Run a network on Lava and write the recording to ``options.out``; see `lava.run`."""
    assert options.out is not None
    folder = options.out.parent
    blocks = Blocks(folder, network, options, len(values))
    binary = bool(values.min(initial=0) >= 0 and values.max(initial=0) <= 1)
    for first, end in blocks.gaps():
        simulation = Simulation(network, values[first:end], options, folder, binary)
        for start in range(first, end, simulation.block):
            count = min(simulation.block, end - start)
            began = time.perf_counter()
            simulation.run(count)
            seconds = time.perf_counter() - began
            recorded = simulation.block_recorded(start - first, count)
            blocks.add(start, *recorded, measured={"seconds": seconds})
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
    binary_input : bool
        Whether all inputs are 0 and 1; of all samples, though only some may run.

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
        binary_input: bool,
    ) -> None:
        self.network = network
        self.options = options
        self.folder = folder
        self.values = values.reshape(len(values) * options.steps, network.input.size)
        self.binary_input = binary_input
        on_lava = [p for p in network.populations if not isinstance(p.neuron, Average)]
        recorded = {
            p.name: ("spikes", *(s for s in p.neuron.states if s in options.record))
            for p in on_lava
            if not isinstance(p.neuron, Source)
        }
        columns = sum(network[name].size * len(what) for name, what in recorded.items())
        fitting = BLOCK_ELEMENTS // max(1, options.steps * columns)
        short = BLOCK_STEPS // options.steps
        self.block = max(1, min(len(values), BLOCK_SAMPLES, fitting, short))
        rows = self.block * options.steps
        self.traces = {
            name: {w: _shared_array(rows, network[name].size) for w in what}
            for name, what in recorded.items()
        }
        self._common = {"folder": folder, "steps": options.steps, "rows": rows}
        self._processes = {p.name: self._population(p) for p in on_lava}
        if not isinstance(network.input.neuron, Source):
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
        reader, writer = os.pipe()
        failure: list[BaseException] = []

        def run_lava() -> None:
            try:
                self._root.run(RunSteps(num_steps=samples * self.options.steps))
            except BaseException as error:
                failure.append(error)
            os.write(writer, b".")

        # Lava waits for ever for a process that has died; this thread waits
        # for either, the end of the run or the end of a process.
        threading.Thread(target=run_lava, daemon=True).start()
        actors = self._root.runtime._messaging_infrastructure.actors
        ready = wait([reader, *(actor.sentinel for actor in actors)])
        if reader not in ready:
            raise self._error_of(next(a for a in actors if a.sentinel in ready))
        os.close(reader)
        os.close(writer)
        if failure:
            raise failure[0]

    def stop(self) -> None:
        """End Lava's processes."""
        self._root.stop()

    def block_recorded(self, start: int, count: int) -> tuple[Spikes, States]:
        """Messages and states of the `count` samples from `start` on, if they ran last.

        Returns
        -------
        mapping of name to int32 [count, steps, neurons]
        mapping of name to mapping of "u", "v" to the same
        """
        steps = self.options.steps
        spikes: Spikes = {}
        states: States = {}
        for population in self.network.populations:
            name, shape = population.name, (count, steps, population.size)
            if isinstance(population.neuron, Average):
                parts = [spikes[p.source].reshape(*shape, -1) for p in self.network.into(name)]
                spikes[name] = np.sum([p.sum(axis=3) for p in parts], axis=0, dtype=np.int32)
            elif isinstance(population.neuron, Source):
                spikes[name] = self.values[start * steps : (start + count) * steps].reshape(shape)
            else:
                rows = {k: v[: count * steps].reshape(shape) for k, v in self.traces[name].items()}
                spikes[name] = rows.pop("spikes")
                states[name] = rows
            if population.axon_delay is not None:
                spikes[name] = _delayed(spikes[name], population.axon_delay)
        return spikes, states

    def _population(self, population: Population) -> Any:
        name, shape, neuron = population.name, (population.size,), population.neuron
        if isinstance(neuron, Source):
            return self._prepare(_source(self.values), name, values=self.values)
        exponents = {"spike_exp": SPIKE_EXPONENT, "state_exp": STATE_EXPONENT}
        reset = None
        if isinstance(neuron, (CubaLIF, TernaryLIF)):
            leaky = {
                "du": neuron.current_decay - 1,  # Lava's model adds ds_offset = 1
                "dv": neuron.voltage_decay,
                "bias_mant": neuron.bias,
                "bias_exp": ACTIVATION_SHIFT,
            }
            if isinstance(neuron, CubaLIF):
                process = LavaLIF(shape=shape, vth=neuron.threshold, **leaky)
            else:
                process = LavaTernaryLIF(
                    shape=shape, vth_hi=neuron.upper, vth_lo=neuron.lower, **leaky
                )
            if interval := self.options.reset_interval:
                phase = self.options.reset_offset + 1 + self.network.hops(name)
                reset = (interval, phase % interval)
        elif isinstance(neuron, GradedThreshold):
            graded = LavaGradedReluVec if neuron.rectify else LavaGradedVec
            process = graded(shape=shape, vth=neuron.threshold)
        elif isinstance(neuron, SigmaDelta):
            mode = ActivationMode.RELU if neuron.rectify else ActivationMode.UNIT
            process = LavaSigmaDelta(
                shape=shape, vth=neuron.threshold, bias=neuron.bias, act_mode=mode, **exponents
            )
        elif isinstance(neuron, Delta):
            process = LavaDelta(shape=shape, vth=neuron.threshold, **exponents)
        else:
            process = LavaSigma(shape=shape)
        for var in process.vars:  # Lava's have room for one du, dv or vth for all neurons
            if np.ndim(var.init) and var.init.shape != var.shape:
                var.shape = var.init.shape
        return self._prepare(process, name, traces=self.traces[name], reset=reset)

    def _connect(self, projection: Projection) -> None:
        source, target = self.network[projection.source], self.network[projection.target]
        sends_ones = isinstance(source.neuron, CubaLIF) or (
            isinstance(source.neuron, Source) and self.binary_input
        )
        bits = 0 if sends_ones else PAYLOAD_BITS
        s_out, a_in = self._processes[source.name].s_out, self._processes[target.name].a_in
        if isinstance(projection.synapse, Conv):
            process = self._prepare(_conv(projection.synapse, source.shape, bits), projection.name)
            s_out.reshape(source.shape).transpose((2, 1, 0)).connect(process.s_in)
            process.a_out.transpose((2, 1, 0)).reshape((target.size,)).connect(a_in)
        else:
            process = self._prepare(_matrix(projection, source, bits), projection.name)
            s_out.connect(process.s_in)
            process.a_out.connect(a_in)

    def _prepare(self, process: Any, label: str, **parameters: Any) -> Any:
        """Give a process what its `lava_models.SampleBySample` reads."""
        settings = {**self._common, "label": label, "traces": {}, "reset": None, **parameters}
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


def _source(values: NDArray[np.int32]) -> Any:
    """Lava's RingBuffer; the values themselves are shared and not copied into a Var."""
    return LavaSource(data=np.zeros((values.shape[1], 1), np.int32))


def _matrix(projection: Projection, source: Population, bits: int) -> Any:
    synapse = projection.synapse
    mantissa, exponent = lava_weight(projection)
    sign = determine_sign_mode(mantissa)
    held = truncate_weights(clip_weights(mantissa, sign, 8), sign, 8)
    if not np.array_equal(held, mantissa):
        raise NetworkError(
            f"projection {projection.name}: this Lava holds {np.count_nonzero(held != mantissa)} "
            f"weights otherwise than lava-nc 0.10.0 does; install lava-nc 0.10.0"
        )
    options = {"weights": mantissa, "weight_exp": exponent, "num_message_bits": bits}
    delays = np.zeros(mantissa.shape, int)
    if source.axon_delay is not None:
        delays += source.axon_delay
    if isinstance(synapse, DelayedDense):
        delays += synapse.delay
    if not delays.any():
        return LavaSparse(**options) if isinstance(synapse, Sparse) else LavaDense(**options)
    return LavaDelayDense(delays=delays, max_delay=int(delays.max()), **options)


def _conv(synapse: Conv, source_shape: tuple[int, ...], bits: int) -> Any:
    """Lava's Conv is a true convolution over (W, H, C), ours a correlation over (C, H, W)."""
    return LavaConv(
        weight=synapse.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1),
        input_shape=source_shape[::-1],
        stride=synapse.stride[::-1],
        padding=synapse.padding[::-1],
        dilation=synapse.dilation[::-1],
        groups=synapse.groups,
        num_message_bits=bits,
    )


def _shared_array(rows: int, columns: int) -> NDArray[np.int32]:
    """Zeros that this process and the Lava processes forked from it all see."""
    memory = mmap.mmap(-1, max(1, 4 * rows * columns))
    return np.frombuffer(memory, np.int32, rows * columns).reshape(rows, columns)


def _delayed(spikes: NDArray[np.int32], delay: NDArray[np.int32]) -> NDArray[np.int32]:
    """Messages as they leave the axon; those that would leave after the last step are dropped."""
    left = np.zeros_like(spikes)
    for steps in np.unique(delay):
        late = delay == steps
        left[:, steps:, late] = spikes[:, : max(0, spikes.shape[1] - steps), late]
    return left
