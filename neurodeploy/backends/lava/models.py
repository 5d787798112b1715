"""Lava's fixed-point process models, made to run samples back to back and to record.

Imported only inside a worker. Every model is Lava's own, so the arithmetic is
Lava's. What is added around its ``run_spk`` is in `SampleBySample`: each
sample starts from fresh state, and what is to be recorded goes straight into
shared memory (``Var.get`` and Lava's RingBuffer sink cost 23 us for every
element).
"""

from __future__ import annotations

from typing import Any

import lava.proc.conv.utils
import numpy as np
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.proc.atrlif.models import PyATRLIFModelFixed
from lava.proc.atrlif.process import ATRLIF
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense, LearningDense
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

from .learning import LearningDenseModel, ModulatedLIFModel, ModulatedProcess
from .sample_by_sample import NotedOutPort, SampleBySample

# Torch inside forked Lava processes hangs; lava-dl's own tests switch it off too.
lava.proc.conv.utils.TORCH_IS_AVAILABLE = False


class _SourceModel(SampleBySample, PySendModelFixed):  # type: ignore[misc]
    """Sends the rows of ``values``, from the first again after the last."""

    def _run_lava(self) -> None:
        values = self.proc_params["values"]
        self.s_out.send(values[(self.time_step - 1) % len(values)])


class _LIFModel(SampleBySample, PyLifModelBitAcc):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _TernaryLIFModel(SampleBySample, PyTernLifModelFixed):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=2)


class _ATRLIFModel(SampleBySample, PyATRLIFModelFixed):  # type: ignore[misc]
    theta_step: Any
    fresh = ("i", "v", "r")
    attribute = {"u": "i", "v": "v", "threshold": "theta", "refractory": "r"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)

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
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _RFIzhikevichModel(SampleBySample, PyRF_IZModelFixed):  # type: ignore[misc]
    fresh = ("real", "imag")
    attribute = {"u": "real", "v": "imag"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _RFZeroModel(SampleBySample, PyRFZeroModelFixed):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _ProductModel(SampleBySample, PyProdNeuronModelFixed):  # type: ignore[misc]
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _GradedVecModel(SampleBySample, PyGradedVecModelFixed):  # type: ignore[misc]
    fresh = ("v",)
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _GradedReluVecModel(SampleBySample, PyGradedReluVecModelFixed):  # type: ignore[misc]
    fresh = ("v",)
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _DeltaModel(SampleBySample, PyDeltaModelFixed):  # type: ignore[misc]
    fresh = ("sigma", "act", "residue", "error")
    attribute = {"u": "residue", "v": "act"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _SigmaDeltaModel(SampleBySample, PySigmaDeltaModelFixed):  # type: ignore[misc]
    fresh = ("sigma", "act", "residue", "error")
    attribute = {"u": "sigma", "v": "act", "residue": "residue"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


class _SigmaModel(SampleBySample, PySigmaModelFixed):  # type: ignore[misc]
    fresh = ("sigma",)
    attribute = {"u": "sigma"}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)


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
    LearningDense: LearningDenseModel,
    ModulatedProcess: ModulatedLIFModel,
}
"""Given to Lava's compiler, so that it takes these models for its own processes."""
