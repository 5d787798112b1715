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
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc, PyTernLifModelFixed
from lava.proc.lif.process import LIF, TernaryLIF
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.proc.sparse.models import PySparseModelBitAcc
from lava.proc.sparse.process import Sparse
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
    array [rows, neurons] by name), ``reset`` ((interval, phase) or None).
    """

    fresh: ClassVar[tuple[str, ...]] = ()
    """State that is zero at the start of a sample."""

    attribute: ClassVar[dict[str, str]] = {}
    """Which attribute holds the state that a recording calls u or v."""

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
        if step == 0:
            self._zero(self.fresh)
        reset = self.proc_params["reset"]
        if reset is not None and (step + 1) % reset[0] == reset[1]:
            self._zero(("u", "v"))
        self._run_lava()
        for name, trace in self.proc_params["traces"].items():
            trace[row] = (
                self.s_out.sent if name == "spikes" else getattr(self, self.attribute[name])
            )

    def _run_lava(self) -> None:
        super().run_spk()  # type: ignore[misc]

    def _zero(self, names: tuple[str, ...]) -> None:
        for name in names:
            setattr(self, name, np.zeros_like(getattr(self, name)))


class _SourceModel(SampleBySample, PySendModelFixed):  # type: ignore[misc]
    def _run_lava(self) -> None:
        self.s_out.send(self.proc_params["values"][self.time_step - 1])


class _LIFModel(SampleBySample, PyLifModelBitAcc):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=24)


class _TernaryLIFModel(SampleBySample, PyTernLifModelFixed):  # type: ignore[misc]
    fresh = ("u", "v")
    attribute = {"u": "u", "v": "v"}
    s_out: PyOutPort = LavaPyType(_NotedOutPort, np.int32, precision=2)


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
    GradedVec: _GradedVecModel,
    GradedReluVec: _GradedReluVecModel,
    Delta: _DeltaModel,
    SigmaDelta: _SigmaDeltaModel,
    Sigma: _SigmaModel,
    Dense: _DenseModel,
    Sparse: _SparseModel,
    DelayDense: _DelayDenseModel,
    Conv: _ConvModel,
}
"""Given to Lava's compiler, so that it takes these models for its own processes."""
