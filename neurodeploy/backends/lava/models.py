"""Lava's fixed-point process models, made to run samples back to back and to record.

Imported only inside a worker. Every model is Lava's own, so the arithmetic is
Lava's. What is added around its ``run_spk`` is in `SampleBySample`: each
sample starts from fresh state, and what is to be recorded goes straight into
shared memory (``Var.get`` and Lava's RingBuffer sink cost 23 us for every
element).
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any, ClassVar

import lava.proc.conv.utils
import numpy as np
from lava.magma.core.model.py.ports import PyOutPort, PyOutPortVectorDense
from lava.magma.core.model.py.type import LavaPyType
from lava.proc.atrlif.models import PyATRLIFModelFixed
from lava.proc.atrlif.process import ATRLIF
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc, PyTernLifModelFixed
from lava.proc.lif.process import LIF, TernaryLIF
from lava.proc.prodneuron.models import PyProdNeuronModelFixed
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.resfire.models import PyRFZeroModelFixed
from lava.proc.resfire.process import RFZero
from lava.proc.rf.models import PyRFModelFixed
from lava.proc.rf.process import RF
from lava.proc.rf_iz.models import PyRF_IZModelFixed
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse, Sparse
from numpy.typing import NDArray

# Torch inside forked Lava processes hangs; lava-dl's own tests switch it off too.
lava.proc.conv.utils.TORCH_IS_AVAILABLE = False


class _NotedOutPort(PyOutPortVectorDense):  # type: ignore[misc]
    """An out port that keeps what it sent last."""

    sent: NDArray[Any]

    def send(self, data: NDArray[Any]) -> None:
        self.sent = data
        super().send(data)


class SampleBySample:
    """Runs samples back to back, records, and reports errors of a Lava process model.

    Read from ``proc_params``: ``label``, ``folder`` (for error reports),
    ``steps`` (of a sample), ``rows`` (steps of a block), ``traces`` (shared
    array [rows, neurons] by name), ``reset`` ((interval, phase) or None),
    ``first_v`` (v at the start of a sample), ``rests`` (steps of a sample before which its
    neurons count as resting, whatever v leads them to a reset).
    """

    fresh: ClassVar[tuple[str, ...]] = ()
    """State that is zero at the start of a sample, and of a neuron after a reset."""

    attribute: ClassVar[dict[str, str]] = {}
    """Which attribute holds a state, by the name that a recording has for it.

    Of those that our models have and Lava's lack (``wait`` of refractory periods), `lava_rules`
    lets none through that is ever anything but 0, as a trace is at first.
    """

    proc_params: Any
    time_step: int
    s_out: Any

    def run_spk(self) -> None:
        """Run one time step; an error ends this process and leaves a report."""
        try:
            self._run_step((self.time_step - 1) % self.proc_params["rows"])
        except BaseException as error:
            # Lava would log this at INFO and then wait for ever for the
            # message that this process did not send.
            report = {
                "error": type(error).__name__,
                "message": f"{error} (in {self.proc_params['label']}, step {self.time_step})",
                "detail": traceback.format_exc(),
            }
            path = Path(self.proc_params["folder"]) / f"child-{os.getpid()}.json"
            path.write_text(json.dumps(report))
            os._exit(1)

    def _run_step(self, row: int) -> None:
        step = row % self.proc_params["steps"]
        reset = self.proc_params["reset"]
        if step == 0 or (reset is not None and (step + 1) % reset[0] == reset[1]):
            self._start_over()
        first_v = self.proc_params["first_v"]
        if step == 0 and np.any(first_v):
            v = getattr(self, self.attribute["v"])
            v[:] = first_v
        self._run_lava()
        rests = self.proc_params["rests"]
        for name, trace in self.proc_params["traces"].items():
            if name == "spikes":
                trace[row] = self.s_out.sent
            elif name in self.attribute:
                trace[row] = 0 if step < rests else getattr(self, self.attribute[name])

    def _run_lava(self) -> None:
        super().run_spk()  # type: ignore[misc]

    def _start_over(self) -> None:
        for name in self.fresh:
            setattr(self, name, np.zeros_like(getattr(self, name)))


class _SourceModel(SampleBySample, PySendModelFixed):  # type: ignore[misc]
    """Sends the rows of ``values``, from the first again after the last."""

    def _run_lava(self) -> None:
        values = self.proc_params["values"]
        self.s_out.send(values[(self.time_step - 1) % len(values)])


class _LIFModel(SampleBySample, PyLifModelBitAcc):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _TernaryLIFModel(SampleBySample, PyTernLifModelFixed):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=2)


class _ATRLIFModel(SampleBySample, PyATRLIFModelFixed):  # type: ignore[misc]
    theta_step: Any
    fresh = ("i", "v", "r")
    attribute = {"u": "i", "v": "v", "threshold": "theta", "refractory": "r"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)

    def _start_over(self) -> None:
        super()._start_over()
        if self.isthrscaled:  # else Lava sets theta in this step, its first
            self.theta[:] = self.theta_0

    def post_spike(self, spike_vector: NDArray[np.bool_]) -> None:
        """As Lava's, which adds the step to spiking neurons alone and so fails with one of each."""
        step = self.theta_step
        self.theta_step = step[spike_vector] if np.ndim(step) else step
        super().post_spike(spike_vector)
        self.theta_step = step


class _RFModel(SampleBySample, PyRFModelFixed):  # type: ignore[misc]
    fresh = ("real", "imag")
    attribute = {"u": "real", "v": "imag"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _RFIzhikevichModel(SampleBySample, PyRF_IZModelFixed):  # type: ignore[misc]
    fresh = ("real", "imag")
    attribute = {"u": "real", "v": "imag"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _RFZeroModel(SampleBySample, PyRFZeroModelFixed):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _ProductModel(SampleBySample, PyProdNeuronModelFixed):  # type: ignore[misc]
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _GradedVecModel(SampleBySample, PyGradedVecModelFixed):  # type: ignore[misc]
    fresh = ("v",)
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _GradedReluVecModel(SampleBySample, PyGradedReluVecModelFixed):  # type: ignore[misc]
    fresh = ("v",)
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _DeltaModel(SampleBySample, PyDeltaModelFixed):  # type: ignore[misc]
    fresh = ("sigma", "act", "residue", "error")
    attribute = {"u": "residue", "v": "act"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _SigmaDeltaModel(SampleBySample, PySigmaDeltaModelFixed):  # type: ignore[misc]
    fresh = ("sigma", "act", "residue", "error")
    attribute = {"u": "sigma", "v": "act", "residue": "residue"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _SigmaModel(SampleBySample, PySigmaModelFixed):  # type: ignore[misc]
    fresh = ("sigma",)
    attribute = {"u": "sigma"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _DenseModel(SampleBySample, PyDenseModelBitAcc):  # type: ignore[misc]
    fresh = ("a_buff",)


class _SparseModel(SampleBySample, PySparseModelBitAcc):  # type: ignore[misc]
    fresh = ("a_buff",)


class _DelayDenseModel(SampleBySample, PyDelayDenseModelBitAcc):  # type: ignore[misc]
    fresh = ("a_buff",)
    by_delay: NDArray[Any] | None = None

    def get_delay_wgts_mat(
        self, weights: NDArray[Any], delays: NDArray[Any], max_delay: int
    ) -> NDArray[Any]:
        """As Lava's, but built once and not anew at every step; the weights are settled by then."""
        if self.by_delay is None:
            self.by_delay = PyDelayDenseModelBitAcc.get_delay_wgts_mat(weights, delays, max_delay)
        return self.by_delay


class _DelaySparseModel(SampleBySample, PyDelaySparseModelBitAcc):  # type: ignore[misc]
    fresh = ("a_buff",)
    by_delay: Any = None

    def get_delay_wgts_mat(self, weights: Any, delays: Any, max_delay: int) -> Any:
        """As Lava's, but built once; see `_DelayDenseModel`."""
        if self.by_delay is None:
            made = PyDelaySparseModelBitAcc.get_delay_wgts_mat(weights, delays, max_delay)
            self.by_delay = made.tocsr()
        return self.by_delay


class _ConvModel(SampleBySample, PyConvModelFixed):  # type: ignore[misc]
    fresh = ("a_buf",)
    # Lava declares these int8, in which 128 groups would be -128.
    kernel_size: NDArray[Any] = LavaPyType(np.ndarray, np.int32)
    stride: NDArray[Any] = LavaPyType(np.ndarray, np.int32)
    padding: NDArray[Any] = LavaPyType(np.ndarray, np.int32)
    dilation: NDArray[Any] = LavaPyType(np.ndarray, np.int32)
    groups: NDArray[Any] = LavaPyType(np.ndarray, np.int32)


MODELS = {
    RingBuffer: _SourceModel,
    LIF: _LIFModel,
    TernaryLIF: _TernaryLIFModel,
    ATRLIF: _ATRLIFModel,
    RF: _RFModel,
    RF_IZ: _RFIzhikevichModel,
    RFZero: _RFZeroModel,
    ProdNeuron: _ProductModel,
    GradedVec: _GradedVecModel,
    GradedReluVec: _GradedReluVecModel,
    Delta: _DeltaModel,
    SigmaDelta: _SigmaDeltaModel,
    Sigma: _SigmaModel,
    Dense: _DenseModel,
    Sparse: _SparseModel,
    DelaySparse: _DelaySparseModel,
    DelayDense: _DelayDenseModel,
    Conv: _ConvModel,
}
"""Given to Lava's compiler, so that it takes these models for its own processes."""
