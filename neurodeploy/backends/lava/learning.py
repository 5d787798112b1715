"""Lava's synapses that learn and neurons that write learning's traces; imported only in a worker.

The arithmetic of synapses is Lava's own, `PyLearningDenseModelBitApproximate`. Lava has no neuron
that writes y1, y2 and y3 in integers; `_ModulatedLIFModel` is `network.ModulatedLIF` on the ports
that Lava gives such neurons, so it does not check that model: what Lava checks of a three-factor
rule is what synapses make of the traces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, Loihi3FLearningRule
from lava.magma.core.model.py.neuron import LearningNeuronModelFixed
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense
from lava.proc.lif.models import AbstractPyLifModelFixed
from lava.proc.lif.process import LearningLIF
from lava.utils.weightutils import SignMode

from ...network import LearningRule, ModulatedLIF, Projection
from ...network.fixed_point import STATE_LIMIT
from ...network.learning.matrix import learning_matrix
from ...network.neurons.modulated import KEEP_BITS, TRACE_TOP
from .sample_by_sample import NotedOutPort, SampleBySample

ATTRIBUTES = {"w": "weights", "d": "tag_2", "t": "tag_1"}
"""Lava's names of the synaptic variables."""

TRACES = ("x1", "x2", "y1", "y2", "y3")

PAYLOADS = {
    "impulse": GradedSpikeCfg.USE_REGULAR_IMPULSE,
    "overwrite": GradedSpikeCfg.OVERWRITE,
    "add-saturating": GradedSpikeCfg.ADD_WITH_SATURATION,
    "add-overflow": GradedSpikeCfg.ADD_WITHOUT_SATURATION,
}


def lava_rule(rule: LearningRule) -> Any:
    """The same rule as Lava's."""
    equations = dict.fromkeys(("dw", "dd", "dt"))
    for equation in rule.text.replace("\n", " ").split(";"):
        target, _, text = equation.partition("=")
        if target.strip():
            equations[target.strip()] = text.strip()
    three = rule.factors == "three"
    traces = TRACES[:2] if three else TRACES
    told = {
        f"{name}_{what}": getattr(rule, f"{name}_{what}")
        for name in traces
        for what in ("impulse", "tau")
    }
    made = Loihi3FLearningRule if three else Loihi2FLearningRule
    return made(**equations, **told, t_epoch=rule.epoch, rng_seed=rule.seed)


def learning_dense(projection: Projection, bits: int) -> Any:
    """Lava's process of a projection that learns."""
    rule = projection.rule
    assert rule is not None
    weight, exists = learning_matrix(projection.synapse)
    process = LearningDense(
        weights=weight,
        num_message_bits=bits,
        learning_rule=lava_rule(rule),
        graded_spike_cfg=PAYLOADS[rule.payload],
        sign_mode=SignMode[rule.sign.upper()],
    )
    # Lava's LearningSparse drops synapses whose weight is 0 when it begins (`truncate_weights`).
    process.proc_params.overwrite("exists", exists)
    return process


class ModulatedProcess(LearningLIF):  # type: ignore[misc]
    """`network.ModulatedLIF` as a process of Lava's."""


def modulated(neuron: ModulatedLIF, leaks: dict[str, Any], shape: tuple[int, ...]) -> Any:
    """Lava's process of modulated neurons, with what its model reads of ours."""
    process = ModulatedProcess(shape=shape, vth=neuron.threshold, **leaks)
    process.proc_params.overwrite("neuron", neuron)
    return process


class LearningDenseModel(SampleBySample, PyLearningDenseModelBitApproximate):  # type: ignore[misc]
    """Lava's model, with each sample from the weights given or from those learned before.

    Read from ``proc_params``: ``across`` (whether samples learn one after the other), ``learned``
    (shared arrays by name: ``learned/w`` [samples of a block, synapses], ``epochs/w`` and
    ``epochs/x1`` [samples times epochs, ...]).
    """

    fresh = ("a_buff", "x0", "y0", "tx", "ty", *TRACES)
    begun: Any = None
    weights: Any
    weights_set: Any
    tag_1: Any
    tag_2: Any

    def _start_over(self) -> None:
        super()._start_over()
        if self.begun is None:
            self.begun = self.weights.copy()
        elif not self.proc_params["across"]:
            self.weights, self.weights_set = self.begun.copy(), False
            self.tag_1, self.tag_2 = np.zeros_like(self.tag_1), np.zeros_like(self.tag_2)
            self._init_randoms()

    def _run_lava(self) -> None:
        super()._run_lava()
        if self._step_of_sample() == 1:
            self._keep(self.proc_params["learned"], "learned", self._sample())

    def _step_of_sample(self) -> int:
        """Within the sample and from 1 on, as each has a clock of its own."""
        return int((self.time_step - 1) % self.proc_params["steps"]) + 1

    def _sample(self) -> int:
        row = (self.time_step - 1) % self.proc_params["rows"]
        return int(row // self.proc_params["steps"])

    def _within_epoch_time_step(self) -> int:
        return (self._step_of_sample() - 1) % int(self._learning_rule.t_epoch) + 1

    def lrn_guard(self) -> bool:
        """Whether an epoch ends; see Lava's."""
        return bool(self._step_of_sample() % self._learning_rule.t_epoch == 0)

    def run_lrn(self) -> None:
        """Learn, on the sample's own clock, and keep what came of it."""
        with self.reported():
            clock, self.time_step = self.time_step, self._step_of_sample()
            super().run_lrn()
            self.time_step = clock
            if (exists := self.proc_params["exists"]) is not None:
                for name in ATTRIBUTES.values():
                    setattr(self, name, getattr(self, name) * exists)
            told = self.proc_params["learned"]
            self._keep(told, "learned", self._sample())
            epochs = self.proc_params["steps"] // self._learning_rule.t_epoch
            epoch = self._step_of_sample() // self._learning_rule.t_epoch - 1
            self._keep(told, "epochs", self._sample() * epochs + epoch)

    def _keep(self, told: dict[str, Any], group: str, row: int) -> None:
        for name in (*ATTRIBUTES, *TRACES):
            if (held := told.get(f"{group}/{name}")) is not None:
                held[row] = np.ravel(getattr(self, ATTRIBUTES.get(name, name)))


@implements(proc=ModulatedProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class ModulatedLIFModel(SampleBySample, LearningNeuronModelFixed, AbstractPyLifModelFixed):  # type: ignore[misc]
    """Lava's LIF, and the traces of `network.ModulatedLIF`."""

    fresh = ("u", "v", "y1", "y2", "y3")
    attribute = {name: name for name in fresh}
    s_out: PyOutPort = LavaPyType(NotedOutPort, np.int32, precision=24)
    vth: int = LavaPyType(int, np.int32, precision=17)
    y1: Any
    y2: Any
    y3: Any

    def scale_threshold(self) -> None:
        """See Lava's."""
        self.effective_vth = np.left_shift(self.vth, self.vth_shift)
        self.isthrscaled = True

    def spiking_activation(self) -> Any:
        """See Lava's; v before the reset is kept."""
        self.reached = self.v.copy()
        return self.v > self.effective_vth

    def _run_lava(self) -> None:
        super()._run_lava()
        neuron, sent = self.proc_params["neuron"], self.s_out.sent.astype(np.int64)
        third = np.asarray(self.a_third_factor_in.recv(), np.int64)
        signal = np.clip(third, 1 - STATE_LIMIT, STATE_LIMIT - 1) - neuron.message_cost * sent
        if neuron.y1_is == "trace":
            y1 = self._followed(self.y1, neuron.y1_keep, neuron.y1_size * sent)
        else:
            far = np.abs(self.reached - self.effective_vth) >> neuron.y1_width
            y1 = np.maximum(neuron.y1_size - far, 0)
        self.y1 = y1
        self.y2 = self._followed(self.y2, neuron.signal_keep, np.maximum(signal, 0))
        self.y3 = self._followed(self.y3, neuron.signal_keep, np.maximum(-signal, 0))
        self.s_out_bap.send(sent != 0)
        self.s_out_y1.send(self.y1)
        self.s_out_y2.send(self.y2)
        self.s_out_y3.send(self.y3)

    @staticmethod
    def _followed(trace: Any, keep: Any, added: Any) -> Any:
        kept = np.asarray(trace, np.int64) * keep >> KEEP_BITS
        return np.minimum(kept + added, TRACE_TOP)
