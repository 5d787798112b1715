"""A network as Lava processes for the chip, with adapters and probes; imported only beside Lava.

Names, arguments and the order of calls are those of public code that ran on
Loihi 2 (lava-dl's netx tests and tutorials, benchmark notebooks), because
lava-loihi itself is not public:

- host to chip: ``embedded_io.spike.PyToNxAdapter`` before a matrix,
  ``PyToN3ConvAdapter`` before a convolution; chip to host: ``NxToPyAdapter``, whose
  24-bit payloads come without their sign, so ``(x << 8) >> 8``;
- the same input again and again without the host: ``cyclic_buffer.CyclicBuffer``;
- u and v: ``loihi2_state_probes.StateProbe``, a callback of the run configuration,
  ``time_series`` [neurons, steps];
- populations that convolutions reach are (W, H, C); before a matrix
  ``transpose([2, 1, 0]).flatten()``, as netx does.

A population with neurons that is presented numbers (an ``input`` layer) gets them
through synapses of weight 1, which takes one more step.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.io.sink import PyReceiveModelFixed
from lava.proc.io.sink import RingBuffer as LavaSink
from lava.proc.io.source import PySendModelFixed
from lava.proc.io.source import RingBuffer as LavaSource
from lava.proc.lif.process import LIF
from numpy.typing import NDArray

from ...errors import BackendError, UnsupportedError
from ...network import Network, Population, Projection
from ...network.fixed_point import PAYLOAD_BITS
from ...remote.worker import WorkerError
from ...targets.rewrite.late_bias import voltage_before
from ..lava.build import (
    are_graded,
    conv,
    currents_into,
    is_conv,
    matrix,
    message_bits,
    neurons,
    parts_of,
)
from ..lava.models import MODELS
from ..lava.processes import JOIN_SECONDS, run_watched
from .schedule import Schedule, starts_elsewhere

CONV_INPUT_BITS = 16
"""Payload of ``PyToN3ConvAdapter`` in every public use of it."""

Spikes = dict[str, NDArray[np.int32]]
States = dict[str, dict[str, NDArray[np.int32]]]


class Board:
    """A network built for one run of the chip.

    Parameters
    ----------
    network : Network
    presented : int32 [samples, steps, neurons]
    schedule : Schedule
    read : sequence of str
        Populations whose messages are read by the host.
    states : sequence of str
        For every population that has them.
    cyclic : bool
        Have an embedded processor repeat the input instead of the host.
    graded : bool, optional
        Whether messages of the input need payloads; by default whether these values do.
    """

    def __init__(
        self,
        network: Network,
        presented: NDArray[np.int32],
        schedule: Schedule,
        read: Sequence[str] = (),
        states: Sequence[str] = (),
        cyclic: bool = False,
        graded: bool | None = None,
    ) -> None:
        self.network = network
        self.schedule = schedule
        self.values = schedule.presented(presented)
        self.graded_input = are_graded(presented) if graded is None else graded
        if cyclic:  # repeats exactly the samples, with nothing before or after them
            self.values = self.values[: schedule.samples * schedule.slot]
        self._processes = {
            p.name: self._neurons(p)
            for p in network.populations
            if p.neuron.runs_on_host != "always"
        }
        self._ports = {name: process.s_out for name, process in self._processes.items()}
        self._connect_input(cyclic)
        for projection in network.projections:
            if projection.synapse.steps:
                self._connect(projection)
        self._sinks = {name: self._reader(network[name]) for name in read}
        self._probes = {
            name: {
                state: _state_probe(getattr(process, attribute))
                for state, attribute in _variables(process).items()
                if state in states
            }
            for name, process in self._processes.items()
        }
        self._root = next(iter(self._processes.values()))

    def run(self, steps: int | None = None, probes: Sequence[Any] = ()) -> tuple[Spikes, States]:
        """Compile, run and stop.

        Parameters
        ----------
        steps : int, optional
            Chip steps; by default those of the schedule.
        probes : sequence of callback
            More probes for the run configuration.

        Returns
        -------
        dict of name to int32 [samples, steps, neurons]
            What was read, in the step in which it was sent.
        dict of name to dict of state to the same

        Raises
        ------
        BackendError
            If Lava, the compiler or the board fail, or a probe returns nothing.
        """
        steps = self.schedule.chip_steps if steps is None else steps
        all_probes = [probe for held in self._probes.values() for probe in held.values()]
        config = Loihi2HwCfg(
            exception_proc_model_map={LavaSource: PySendModelFixed, LavaSink: PyReceiveModelFixed},
            callback_fxs=[*all_probes, *probes],
        )
        try:
            # Here and not in the thread that waits: a worker's children die with the thread
            # that forked them.
            self._root.create_runtime(run_cfg=config)
            run_watched(
                self._root,
                lambda: self._root.run(condition=RunSteps(num_steps=steps), run_cfg=config),
                _died,
            )
            traces = {name: self._sink_data(name, sink) for name, sink in self._sinks.items()}
        except BaseException as error:
            if not isinstance(error, WorkerError):  # a process died: Lava would wait for it
                self._root.stop()
            raise
        self._root.stop()
        spikes = {
            name: self.schedule.cut(trace, self.network.hops(name), self.schedule.lag.output)
            for name, trace in traces.items()
        }
        return spikes, self._states(steps)

    def _neurons(self, population: Population) -> Any:
        resets = self.schedule.reset_of(self.network.hops(population.name))
        process = neurons(population.neuron, layout(population.shape), resets)
        if starts_elsewhere(self.network):
            process.v.init = self._first_v(population)
        for var in process.vars:  # one value for each neuron is laid out as they are
            if var.init is not None and np.shape(var.init) == (population.size,):
                var.init = laid_out(np.asarray(var.init), population.shape)
                var.shape = var.init.shape
        return process

    def _first_v(self, population: Population) -> Any:
        """Give v before the chip's first step, from which the lag of the inputs leads to ours."""
        first, lag = population.initial_voltage, self.schedule.lag.input
        if not lag or population.neuron.cuba_form() is None:
            return np.asarray(first)
        v = voltage_before(population.neuron, population.size, lag, first)
        if v is None:
            raise UnsupportedError(
                f"population {population.name!r}: no voltage leads to its first one over the "
                f"{lag} steps by which inputs reach the chip late; run it on backend 'lava'"
            )
        return v

    def _connect_input(self, cyclic: bool) -> None:
        population = self.network.input
        name, shape = population.name, population.shape
        data = laid_out(self.values.T, shape)  # [*layout, steps]
        if cyclic:
            port = _cyclic(data)
        else:
            source = LavaSource(data=data)
            adapter = self._adapter(layout(shape))
            source.s_out.connect(adapter.inp)
            port = adapter.out
        if population.neuron.is_port:
            self._ports[name] = port
        else:
            bits = PAYLOAD_BITS if self.graded_input else 0
            synapse = _ones(shape, bits)
            port.connect(synapse.s_in)
            synapse.a_out.connect(self._processes[name].a_in)

    def _adapter(self, shape: tuple[int, ...]) -> Any:
        spike = _import("lava.proc.embedded_io.spike")
        if not feeds_convolution(self.network):
            bits = PAYLOAD_BITS if self.graded_input else 0
            return spike.PyToNxAdapter(shape=shape, num_message_bits=bits)
        if not self.graded_input:
            return spike.PyToN3ConvAdapter(shape=shape)
        limit = 1 << (CONV_INPUT_BITS - 1)
        low, high = int(self.values.min()), int(self.values.max())
        if low < -limit or high >= limit:
            raise UnsupportedError(
                f"inputs: {low}..{high} exceed the {CONV_INPUT_BITS} bits of the adapter before a "
                f"convolution ({-limit}..{limit - 1}); scale them down"
            )
        return spike.PyToN3ConvAdapter(shape=shape, num_message_bits=CONV_INPUT_BITS)

    def _connect(self, projection: Projection) -> None:
        target = self._processes[projection.target]
        for part, a_in in zip(parts_of(projection), currents_into(target), strict=True):
            self._connect_part(part, a_in)

    def _connect_part(self, projection: Projection, a_in: Any) -> None:
        source, target = self.network[projection.source], self.network[projection.target]
        bits = message_bits(source.neuron, self.graded_input)
        s_out = self._ports[source.name]
        if is_conv(projection.synapse):
            process = conv(projection.synapse, source.shape, bits)
            s_out.connect(process.s_in)
            process.a_out.connect(a_in)
            return
        process = matrix(projection, source, bits)
        if len(source.shape) == 3:
            s_out = s_out.transpose([2, 1, 0]).flatten()
        s_out.connect(process.s_in)
        out = process.a_out
        if len(target.shape) == 3:
            out = out.reshape(target.shape).transpose([2, 1, 0])
        out.connect(a_in)

    def _reader(self, population: Population) -> Any:
        spike = _import("lava.proc.embedded_io.spike")
        shape = layout(population.shape)
        bits = PAYLOAD_BITS if population.neuron.graded else 0
        adapter = spike.NxToPyAdapter(shape=shape, num_message_bits=bits)
        sink = LavaSink(shape=shape, buffer=self.schedule.chip_steps)
        self._processes[population.name].s_out.connect(adapter.inp)
        adapter.out.connect(sink.a_in)
        return sink

    def _sink_data(self, name: str, sink: Any) -> NDArray[np.int32]:
        """[chip steps, neurons] of what a reader took, payloads with their signs."""
        data = np.asarray(sink.data.get()).astype(np.int32)
        if self.network[name].neuron.graded:
            data = (data << 8) >> 8
        return self._flat(name, data, self.schedule.chip_steps, "messages")

    def _states(self, steps: int) -> States:
        states: States = {}
        for name, held in self._probes.items():
            states[name] = {}
            for state, probe in held.items():
                series = probe.time_series
                if series is None or not np.size(series):
                    raise BackendError(
                        f"population {name!r}: the state probe of {state} returned nothing; run "
                        f"without recording {state}, or with fewer steps"
                    )
                series = np.asarray(series).astype(np.int32)
                trace = self._flat(name, series, steps, state)
                states[name][state] = self.schedule.cut(trace, self.network.hops(name))
        return states

    def _flat(self, name: str, data: NDArray[np.int32], steps: int, what: str) -> NDArray[np.int32]:
        """From [*layout, steps] in any shape to [steps, neurons in (C, H, W) order]."""
        population = self.network[name]
        if data.size != population.size * steps:
            raise BackendError(
                f"population {name!r}: {what} came as {data.shape}, expected "
                f"{population.size} neurons x {steps} steps; is this another lava-loihi than "
                f"the backend was written for?"
            )
        shaped = data.reshape(*layout(population.shape), steps)
        axes = tuple(range(shaped.ndim - 1, -1, -1))
        return np.ascontiguousarray(shaped.transpose(axes)).reshape(steps, population.size)


def _died(actor: Any) -> WorkerError:
    multiprocessing.Process.join(actor, JOIN_SECONDS)  # Lava's own knows no limit
    return WorkerError(
        f"loihi2: one of Lava's processes ended with exit code {actor.exitcode} while the chip "
        f"ran; see the worker's log (--debug)"
    )


def layout(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a process: (W, H, C) for (C, H, W)."""
    return shape[::-1]


def laid_out(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """From neurons in (C, H, W) order along axis 0 to a process's shape."""
    shaped = values.reshape(*shape, *values.shape[1:])
    front = tuple(range(len(shape) - 1, -1, -1))
    return np.ascontiguousarray(shaped.transpose(*front, *range(len(shape), shaped.ndim)))


def _ones(shape: tuple[int, ...], bits: int) -> Any:
    """Synapses that hand each number to its own neuron."""
    if len(shape) == 3:
        channels = shape[0]
        weight = np.eye(channels, dtype=int).reshape(channels, 1, 1, channels)
        return LavaConv(weight=weight, input_shape=layout(shape), num_message_bits=bits)
    return LavaDense(weights=np.eye(shape[0], dtype=int), num_message_bits=bits)


def _cyclic(data: NDArray[np.int32]) -> Any:
    buffer = _import("lava.proc.cyclic_buffer.process")
    return buffer.CyclicBuffer(first_frame=data[..., 0], replay_frames=data[..., 1:]).s_out


def _variables(process: Any) -> dict[str, str]:
    """Which of a process's variables a recording calls u and v, and so on."""
    model = MODELS.get(type(process), MODELS[LIF])
    return dict(model.attribute)


def _state_probe(variable: Any) -> Any:
    return _import("lava.utils.loihi2_state_probes").StateProbe(variable)


def _import(module: str) -> Any:
    """Import a module of lava-loihi."""
    try:
        return import_module(module)
    except ImportError as error:
        raise BackendError(
            f"loihi2: {module} is missing in this lava-loihi ({error}); the backend needs it"
        ) from error


def feeds_convolution(network: Network) -> bool:
    """Whether the host's messages go into a convolution, which takes another adapter.

    An image that neurons are presented goes through a convolution of weight 1.
    """
    population = network.input
    if not population.neuron.is_port:
        return len(population.shape) == 3
    return any(is_conv(p.synapse) for p in network.out_of(population.name))


def input_lag_of(network: Network) -> int:
    """Steps that synapses of weight 1 add before an input population with neurons."""
    return 0 if network.input.neuron.is_port else 1
