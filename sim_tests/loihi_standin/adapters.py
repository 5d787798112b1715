"""The adapters between host and chip, and the cyclic buffer, as CPU processes."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from .state import called, faults

PAYLOAD_BITS = (0, 8, 16, 24, 32)


class _Adapter(AbstractProcess):
    lag = 0
    to_host = False

    def __init__(self, *, shape: tuple[int, ...], num_message_bits: int = 0, **more: Any) -> None:
        if num_message_bits not in PAYLOAD_BITS:
            raise ValueError(f"num_message_bits {num_message_bits}: of {PAYLOAD_BITS}")
        super().__init__(
            shape=shape,
            num_message_bits=num_message_bits,
            lag=faults().output_lag if self.to_host else faults().input_lag,
            to_host=self.to_host,
        )
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)
        called(type(self).__name__, shape=shape, num_message_bits=num_message_bits, **more)


class PyToNxAdapter(_Adapter):
    """Messages of the host to a matrix on the chip."""

    def __init__(self, *, shape: tuple[int, ...], num_message_bits: int = 0) -> None:
        super().__init__(shape=shape, num_message_bits=num_message_bits)


class PyToN3ConvAdapter(_Adapter):
    """Messages of the host to a convolution on the chip; (W, H, C)."""

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        num_message_bits: int = 0,
        spike_exp: int = 0,
        compression: Any = None,
    ) -> None:
        if len(shape) != 3:
            raise ValueError(f"PyToN3ConvAdapter: shape {shape} is not (W, H, C)")
        super().__init__(shape=shape, num_message_bits=num_message_bits, spike_exp=spike_exp)


class NxToPyAdapter(_Adapter):
    """Messages of the chip to the host; payloads come without their sign."""

    to_host = True

    def __init__(self, *, shape: tuple[int, ...], num_message_bits: int = 0) -> None:
        super().__init__(shape=shape, num_message_bits=num_message_bits)


class _Forward(PyLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        shape = proc_params["shape"]
        self.held = deque(np.zeros(shape, np.int32) for _ in range(proc_params["lag"]))
        self.bits = proc_params["num_message_bits"]
        self.to_host = proc_params["to_host"]

    def run_spk(self) -> None:
        if faults().adapter_dies:
            os._exit(7)
        message = np.asarray(self.inp.recv()).astype(np.int32)
        if not self.bits:
            message = (message != 0).astype(np.int32)
        elif self.to_host:
            message = message & ((1 << 24) - 1)
        elif np.any(message != _signed(message, self.bits)):
            raise ValueError(f"a payload exceeds {self.bits} bits")
        if faults().loses_messages:
            message = np.zeros_like(message)
        self.held.append(message)
        self.out.send(self.held.popleft())


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    shift = 32 - bits
    return (values << shift) >> shift


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
class _PyToNxModel(_Forward):
    pass


@implements(proc=PyToN3ConvAdapter, protocol=LoihiProtocol)
@requires(CPU)
class _PyToN3ConvModel(_Forward):
    pass


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
class _NxToPyModel(_Forward):
    pass


class CyclicBuffer(AbstractProcess):
    """Repeats frames on the chip, without the host."""

    def __init__(
        self, *, first_frame: np.ndarray, replay_frames: np.ndarray, spike_exp: int = 0
    ) -> None:
        frames = np.concatenate([first_frame[..., None], replay_frames], axis=-1)
        super().__init__()
        self.frames = Var(shape=frames.shape, init=frames)
        self.s_out = OutPort(shape=first_frame.shape)
        called("CyclicBuffer", shape=first_frame.shape, frames=frames.shape[-1])


@implements(proc=CyclicBuffer, protocol=LoihiProtocol)
@requires(CPU)
class _CyclicModel(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    frames: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.s_out.send(self.frames[..., (self.time_step - 1) % self.frames.shape[-1]])


SPIKE = {
    "PyToNxAdapter": PyToNxAdapter,
    "PyToN3ConvAdapter": PyToN3ConvAdapter,
    "NxToPyAdapter": NxToPyAdapter,
}
