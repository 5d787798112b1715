"""What all neuron models share, and the models that stand outside the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import Declared, flag, one_integer
from ..fixed_point import ACTIVATION_SHIFT, PAYLOAD_BITS, SIGMA_DELTA_SHIFT

Parameter: TypeAlias = "int | NDArray[np.int32]"
"""One integer for the whole population, or one per neuron, flat in (C, H, W) order."""

IntArray: TypeAlias = "NDArray[np.integer[Any]]"


@dataclass(frozen=True, eq=False)
class Neuron(Declared):
    """Base of all neuron models.

    Attributes
    ----------
    kind : str
        The model's short name in tables and files.
    states : tuple of str
        Its state variables, in the order in which they are updated; a recording can hold each.
    graded : bool
        Whether messages carry a payload other than 1.
    ports : int
        Currents that enter each neuron: 1, or 2 for a real and an imaginary part.
    has_third_factor : bool
        Whether a further current enters each neuron, the third factor of learning; a projection
        says whether it delivers into that one, see `Projection.into`. Such neurons have states
        y1, y2 and y3, the traces that three-factor rules read.
    resettable : bool
        Whether ``reset_interval`` has a meaning: all states return to where they started.
    is_float : bool
        Whether it computes in float32 rather than in the chip's integers.
    masks_v : bool
        Whether the chip keeps its refractory counter in v of a neuron that has just sent, so
        that v is compared nowhere there.
    runs_on_host : {"never", "first", "always"}
        Whether it has no neurons on the chip: a port or a readout always, an encoder where it
        stands first, which then sends what it encodes (lava-dl, ``netx/yolo_kp/run.ipynb``:
        ``skip_layers=1``).
    is_port : bool
        Whether it has no neurons at all: it sends what it is given, in the same step.
    sums_on_host : bool
        Whether the host computes it from the messages of another population.
    sends_values : bool
        Whether messages add up to values of a signal rather than to votes for a class.
    is_readout : bool
        Whether it sends nothing and the host reads its v.
    has_initial_voltage : bool
        Whether v may be other than 0 at the start of a sample.
    fires_above : str
        The parameter that v, in units of 1 / 2^`mantissa_shift`, must pass for a message.
    update_passes : int
        Times that a core runs its program in an update: 2 for a sigma-delta neuron (a public
        profiling script of YOLO-KP for lava-dl).
    has_own_microcode : bool
        Whether an update is a program of its own rather than one of the chip's plain neurons,
        which takes several times as long (``microcoded_update_time`` of a chip's file).
    compartments : int
        Compartments that a neuron is joined of on a chip without microcode (Loihi 1). Each takes
        the place of a neuron there, and an update of its own.
    beyond_limits : mapping of str to str
        What became of a number that an engine's overflow counter, by name, has counted.
    """

    kind: ClassVar[str] = "neuron"
    states: ClassVar[tuple[str, ...]] = ()
    ports: ClassVar[int] = 1
    has_third_factor: ClassVar[bool] = False
    resettable: ClassVar[bool] = True
    is_float: ClassVar[bool] = False
    masks_v: ClassVar[bool] = False
    runs_on_host: ClassVar[str] = "never"
    is_port: ClassVar[bool] = False
    sums_on_host: ClassVar[bool] = False
    sends_values: ClassVar[bool] = False
    is_readout: ClassVar[bool] = False
    has_initial_voltage: ClassVar[bool] = False
    fires_above: ClassVar[str] = "threshold"
    update_passes: ClassVar[int] = 1
    has_own_microcode: ClassVar[bool] = False
    compartments: ClassVar[int] = 1
    beyond_limits: ClassVar[Mapping[str, str]] = {
        "u_overflows": "u wrapped",
        "v_overflows": "v saturated",
        "input_overflows": "input wrapped",
    }

    @property
    def graded(self) -> bool:
        """Whether messages carry a payload other than 1."""
        return False

    @property
    def input_range(self) -> tuple[int, int]:
        """Smallest and largest integer that may be presented to it."""
        # So that a << 6 of a LIF and a << 12 of a delta encoder stay in Lava's int32.
        limit = (1 << (31 - SIGMA_DELTA_SHIFT)) - 1
        return -limit - 1, limit

    @property
    def currents(self) -> int:
        """How many currents enter each neuron: its ports, and its third factor if it has one."""
        return self.ports + self.has_third_factor

    @property
    def mantissa_shift(self) -> int:
        """Bits by which a threshold or bias is shifted into the unit of v."""
        return ACTIVATION_SHIFT

    @property
    def constant_current(self) -> Parameter:
        """Mantissa of the bias that enters the current at every step, in weight units; else 0."""
        return 0

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def of_one(self, neuron: int) -> Neuron:
        """Give the model with the parameters of one neuron for all."""
        each = {n: v for n, v in self.parameters.items() if isinstance(v, np.ndarray)}
        return replace(self, **{name: value[neuron].item() for name, value in each.items()})

    def synaptic_current(
        self, before: NDArray[Any], u: NDArray[Any]
    ) -> NDArray[np.integer[Any]] | None:
        """What the synapses delivered in a step, from u before and after it.

        None where u does not tell.
        """
        return None

    def voltage_before_reset(
        self, before: NDArray[Any], u: NDArray[Any], sent: NDArray[Any] | None
    ) -> NDArray[np.integer[Any]] | None:
        """What the threshold is held against in a step.

        None where it comes about otherwise than from v `before` the step, u after it and what
        was `sent` in the step before (None if that is not known).
        """
        return None

    def step(
        self, states: Mapping[str, IntArray], current: IntArray
    ) -> tuple[dict[str, IntArray], IntArray]:
        """One step of time, in NumPy: how the engine runs a model that it has no equations for.

        Parameters
        ----------
        states : mapping of str to int64 [neurons]
            All of `states` after the last step, zero before the first and after a reset; to be
            left as they are.
        current : int64 [neurons], or [2, neurons] where there are 2 `currents`
            What the synapses deliver, in weight units.

        Returns
        -------
        states : dict of str to int [neurons]
            All of `states`, within 32 bits.
        sent : int [neurons]
            The message of each neuron, 0 for none; 0 and 1 alone unless `graded`.
        """
        raise NetworkError(f"{self.label}: has no step in NumPy; give {type(self).__name__}.step")

    @property
    def label(self) -> str:
        """What an error calls it."""
        return f"{self.kind} neuron"

    def with_seed(self, seed: int) -> Neuron:
        """Give the same neurons with another seed; these, where nothing is drawn at random."""
        return self

    def float_form(self) -> Neuron | None:
        """Give the same equations in float32, as `FloatLIF`; None where there are none."""
        return None

    def cuba_form(self) -> Any:
        """Give the same neurons as `GeneralCubaLIF`; None where it has no such equations."""
        return None

    def check(self, size: int) -> None:
        """Make sure that what differs between neurons is given for each of `size` neurons.

        Raises
        ------
        NetworkError
            With the reason; `Population` adds which one it is.
        """
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value.shape != (size,):
                raise NetworkError(
                    f"{name} holds {value.size} values, needs one, or one for each of {size} "
                    f"neurons"
                )


@dataclass(frozen=True, eq=False)
class Source(Neuron):
    """An input port: sends what it is given, in the same step.

    Attributes
    ----------
    signed : bool
        Whether payloads may be negative (inputs of sigma-delta networks).
        Spiking networks take 0 (none), 1 (a spike) or a positive payload.
    """

    signed: bool = field(default=False, metadata=flag())
    kind: ClassVar[str] = "source"
    is_port: ClassVar[bool] = True
    runs_on_host: ClassVar[str] = "always"
    graded: ClassVar[bool] = True

    @property
    def input_range(self) -> tuple[int, int]:
        """See `Neuron.input_range`: a payload's."""
        limit = (1 << (PAYLOAD_BITS - 1)) - 1
        return (-limit - 1 if self.signed else 0), limit


@dataclass(frozen=True, eq=False)
class Average(Neuron):
    """Readout on the host: sums groups of neurons in the same step.

    SLAYER's ``Average`` block gives the mean of each group; integers hold the
    sum, so an output divided by `group_size` is SLAYER's number, exactly. It
    is no population of the chip and costs no hop.

    Attributes
    ----------
    group_size : int
        How many neurons of the source make one output.
    """

    group_size: int = field(metadata=one_integer(1))
    kind: ClassVar[str] = "average"
    sums_on_host: ClassVar[bool] = True
    runs_on_host: ClassVar[str] = "always"
    graded: ClassVar[bool] = True
