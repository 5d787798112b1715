r"""How each framework makes NIR's neurons discrete in time.

NIR's equations are continuous; what a network does depends on how its framework integrates them.
Each preset was read in the framework's source and checked by running it, see docs/nir.md.

Notation as in `FloatLIF`; T is the time step, for a time constant tau

* Euler: :math:`k = 1 - T / \tau`, exponential: :math:`k = e^{-T / \tau}`;
* the equation's own input factor is :math:`R (1 - k)` (and :math:`w_{in} (1 - k)` for a current),
  which Euler makes :math:`R T / \tau`; others ignore R and add the input as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ...network import FloatLIF

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Preset:
    """How time becomes discrete.

    Attributes
    ----------
    name, framework : str
        The option's value, and the framework with the version it was checked against.
    decay : {"euler", "exponential"}
    voltage_input : {"equation", "plain"}
        Whether R and T scale a neuron's input, or it is added as it is.
    ignores_r : bool
        Whether R of neurons without a current counts as 1.
    r_says_step : bool
        Whether the framework takes its time step from tau / (1 + R); written for it then.
    current_input : {"equation", "plain", "decayed"}
        The same for w_in; ``decayed``: plain, and decays in the step in which it arrives.
    plain_w_in : bool
        Whether a w_in of 1 stands for a current that takes its whole input, tau_syn / T: Norse's
        export of LIFCell, which has no w_in, leaves it at that.
    integrator_input : {"equation", "r", "plain"}
        What scales the input of I and IF: R T, R or 1.
    reset : {"value", "subtract", "none"}
    resets : tuple of str
        The resets between which a user of the framework chooses without its export saying which;
        empty where there is one, or the export refuses the others.
    asks_reset : bool
        Whether the reset must be given: what the framework does by default contradicts what its
        files say, which is NIR's reset to a value.
    reset_time : str
        As in `FloatLIF`; of neurons with a current, `cuba_reset_time`.
    plain_value_time : str
        When a neuron without a current, whose spikes do not return to it, resets to a value;
        `reset_time` where empty.
    reset_delay : bool or None
        Whether resets come as late as these times say; in the step of the spike where False. None
        for a framework without such an option.
    keeps_reset_value : bool
        Whether NIR's v_reset is used; else 0.
    starts_at_reset : bool
        Whether voltages start at v_reset; they are counted from there then.
    inclusive : bool
    counts : bool
        Whether a neuron can spike several times in a step.
    floor : bool
        Whether an IF's voltage stays above minus its threshold.
    loop_takes_input : bool
        Whether the export leads a recurrent layer's input through its recurrent weights, beside
        which the framework adds it.
    late_loop_bias : bool
        Whether the bias of a recurrent node counts from the second step on: nirtorch feeds a loop
        with what its node gave in the step before, in the first step with nothing.
    sends_late : bool
        Whether spikes leave one step after the voltage crossed the threshold.
    time_step : str
        The ``--dt`` that belongs to the framework's export, as a sentence.
    loses : str
        What else the framework's export leaves out without a word.
    given : bool
        Whether the user named it; else it stands for what nobody said.
    other : tuple of str
        The preset that reads the same file otherwise, and what is assumed in choosing this one.
    """

    name: str
    framework: str
    decay: str = "euler"
    voltage_input: str = "equation"
    ignores_r: bool = False
    r_says_step: bool = False
    current_input: str = "equation"
    plain_w_in: bool = False
    integrator_input: str = "equation"
    reset: str = "value"
    resets: tuple[str, ...] = ()
    asks_reset: bool = False
    reset_time: str = "same"
    cuba_reset_time: str = "same"
    plain_value_time: str = ""
    reset_delay: bool | None = None
    keeps_reset_value: bool = True
    starts_at_reset: bool = False
    inclusive: bool = False
    counts: bool = False
    floor: bool = False
    loop_takes_input: bool = False
    late_loop_bias: bool = False
    sends_late: bool = False
    time_step: str = ""
    loses: str = ""
    other: tuple[str, ...] = ()
    given: bool = True

    def with_reset(self, reset: str | None) -> Preset:
        """The same with a ``hard``, ``soft`` or no reset (``none``), or as it is for None."""
        if reset is None:
            return self
        if reset not in RESETS:
            raise FormatError(f"reset: {reset!r}; give hard (to a value), soft (subtract) or none")
        return replace(self, reset=RESETS[reset])

    def with_reset_delay(self, delay: bool | None) -> Preset:
        """The same with the reset late or in the step of the spike, or as it is for None."""
        if delay is None:
            return self
        if self.reset_delay is None:
            late = ", ".join(p.name for p in _ALL if p.reset_delay is not None)
            raise FormatError(
                f"reset_delay: preset {self.name!r} resets in one way only; leave it out, or give "
                f"--preset {late.split(', ')[0]}"
            )
        return replace(self, reset_delay=delay)

    def time_of_reset(self, has_current: bool, loops: bool) -> str:
        """`FloatLIF.reset_time` of a neuron.

        Parameters
        ----------
        has_current : bool
        loops : bool
            Whether its spikes return to it, as in RLeaky and RSynaptic.
        """
        if self.reset == "none":
            return "same"
        # RSynaptic takes the option and does not act on it (snnTorch 1.0.0).
        if self.reset_delay is False and not (has_current and loops):
            return "again" if self.reset == "subtract" else "same"
        if has_current:
            return self.cuba_reset_time
        if self.reset == "value" and self.plain_value_time and not loops:
            return self.plain_value_time
        return self.reset_time

    def sentence(self) -> str:
        """What it does, for the audit."""
        when = "same" if self.reset_delay is False else self.cuba_reset_time
        words = [
            "forward Euler" if self.decay == "euler" else "exponential decay",
            {"value": "reset to a value", "subtract": "reset by subtraction", "none": "no reset"}[
                self.reset
            ],
            {"same": "in the step of the spike", "before": "before the next step",
             "after": "in the step after"}[when],
            f"spikes {'at' if self.inclusive else 'above'} the threshold",
        ]  # fmt: skip
        if self.counts:
            words.append("several spikes in a step")
        if self.sends_late:
            words.append("spikes leave a step late")
        nobody = (
            ""
            if self.given
            else ("; no preset was given: true to the file, not to the framework that trained it")
        )
        return f"preset {self.name}: {', '.join(words)}{nobody}"


RESETS = {"hard": "value", "soft": "subtract", "none": "none"}
"""What ``--reset`` takes, and `FloatLIF.reset` for it."""

RESET_WORDS = {value: key for key, value in RESETS.items()}
"""The other way round."""

_SNNTORCH = Preset(
    "snntorch", "snnTorch 1.0.0, its neurons as trained", integrator_input="r", reset="subtract",
    resets=("subtract", "value", "none"), asks_reset=True, reset_time="after",
    cuba_reset_time="after", plain_value_time="before", reset_delay=True, keeps_reset_value=False,
    time_step="snnTorch's export writes time constants for --dt 1e-4",
    loses="graded_spikes_factor, inhibition and state_quant",
)  # fmt: skip

_NORSE = Preset(
    "norse", "Norse 1.1.0, its neurons as trained", ignores_r=True, late_loop_bias=True,
    integrator_input="plain", plain_w_in=True, resets=("value", "subtract"),
    keeps_reset_value=False,
    time_step="Norse's export multiplies time constants by its time step: give the square of it, "
    "--dt 1e-6 for its default of 1e-3",
    loses="v_reset",
)  # fmt: skip

_SINABS = Preset(
    "sinabs", "Sinabs 3.1.3, its neurons by default", decay="exponential",
    current_input="decayed", integrator_input="plain", reset="subtract", inclusive=True,
    counts=True, ignores_r=True, resets=("subtract", "value"),
    time_step="Sinabs writes time constants in steps: give --dt 1",
    loses="tau_syn, SingleSpike, norm_input and min_v_mem",
    other=("sinabs-import", "norm_input=True and no min_v_mem, as Sinabs' layers do by default; "
           "--preset sinabs-import takes norm_input=False and an IAF's floor"),
)  # fmt: skip

_ALL = (
    Preset("lava", "the order of Lava and the chip"),
    _SNNTORCH,
    replace(
        _SNNTORCH, name="snntorch-import", reset="value", reset_delay=False, resets=(),
        framework="snnTorch 1.0.0 as its own NIR import builds it (reset_delay=False)",
        asks_reset=False,
    ),
    _NORSE,
    replace(
        _NORSE, name="norse-import", framework="Norse 1.1.0 as its own NIR import builds it",
        resets=(), plain_w_in=False,
    ),
    _SINABS,
    replace(
        _SINABS, name="sinabs-import", framework="Sinabs 3.1.3 as its own NIR import builds it",
        voltage_input="plain", ignores_r=False, floor=True, other=(), resets=(),
    ),
    Preset(
        "rockpool", "Rockpool 3.1.0", r_says_step=True,
        decay="exponential", voltage_input="plain",
        current_input="decayed", integrator_input="plain", reset="subtract", inclusive=True,
        counts=True,
        time_step="give the time step of Rockpool's neurons, --dt 1e-3 by default",
        loses="bias and recurrent weights of LIFTorch",
    ),
    Preset(
        "spikingjelly", "SpikingJelly 2.0.0", inclusive=True, late_loop_bias=True,
        starts_at_reset=True,
        time_step="SpikingJelly's export writes time constants for --dt 1e-4 unless told otherwise",
    ),
    Preset(
        "spyx", "Spyx 1.0.0", voltage_input="plain", current_input="plain",
        integrator_input="plain", reset="subtract", reset_time="after", cuba_reset_time="before",
        sends_late=True, loop_takes_input=True,
        time_step="Spyx writes time constants in steps: give --dt 1",
    ),
)  # fmt: skip

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""By the value of ``--preset``."""


def preset_named(name: str | None) -> Preset:
    """Find a preset; None is the chip's own order.

    Raises
    ------
    FormatError
        If there is none of that name.
    """
    if name is None:
        return replace(PRESETS["lava"], given=False)
    if name not in PRESETS:
        raise FormatError(f"preset {name!r}: unknown; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def neuron_of(
    kind: str, node: Any, dt: float, preset: Preset, size: int, loops: bool = False
) -> FloatLIF:
    """Make a NIR neuron discrete.

    Parameters
    ----------
    kind : str
        NIR's type: Threshold, I, IF, LI, LIF, CubaLI or CubaLIF.
    node : node of the `nir` package
    dt : float
        Time step in seconds.
    preset : Preset
    size : int
        Neurons.
    loops : bool
        Whether its spikes return to it.

    Returns
    -------
    FloatLIF
    """

    def value(name: str) -> Floats:
        given = np.asarray(getattr(node, name), np.float64).reshape(-1)
        return np.broadcast_to(given, (size,))

    one = np.ones(size)
    if kind == "Threshold":
        return _made(threshold=value("threshold"), reset="none")
    spikes: dict[str, Any] = {"sends": "voltage", "reset": "none"}
    if kind in ("IF", "LIF", "CubaLIF"):
        spikes = {
            "threshold": value("v_threshold"),
            "reset": preset.reset,
            "reset_time": preset.time_of_reset(kind == "CubaLIF", loops),
            "inclusive": preset.inclusive,
            "sends": "count" if preset.counts else "spike",
            "reset_value": value("v_reset") if preset.keeps_reset_value else 0 * one,
        }
        if preset.floor and kind == "IF":
            spikes["minimum"] = -value("v_threshold")
        if preset.reset != "value":
            spikes["reset_value"] = 0 * one
    zero_at = 0 * one
    if spikes["reset"] != "none" and counts_from_reset(node, preset):
        zero_at = spikes["reset_value"]
        spikes |= {"threshold": spikes["threshold"] - zero_at, "reset_value": 0 * one}
    if kind in ("I", "IF"):
        gain = {"equation": value("r") * dt, "r": value("r"), "plain": one}
        return _made(voltage_keep=one, voltage_gain=gain[preset.integrator_input], **spikes)
    keep = _kept(value("tau_mem" if kind.startswith("Cuba") else "tau"), dt, preset)
    gain_v = value("r") * (1 - keep) if preset.voltage_input == "equation" else one
    if preset.ignores_r and not kind.startswith("Cuba"):
        gain_v = 1 - keep
    leak = (value("v_leak") - zero_at) * (1 - keep)
    if not kind.startswith("Cuba"):
        return _made(voltage_keep=keep, voltage_gain=gain_v, voltage_bias=leak, **spikes)
    keep_u = _kept(value("tau_syn"), dt, preset)
    gain_u = {
        "equation": one if reads_plain(node, preset) else value("w_in") * (1 - keep_u),
        "plain": one,
        "decayed": keep_u,
    }[preset.current_input]
    return _made(
        current_keep=keep_u, current_gain=gain_u,
        voltage_keep=keep, voltage_gain=gain_v, voltage_bias=leak, **spikes,
    )  # fmt: skip


def counts_from_reset(node: Any, preset: Preset) -> bool:
    """Whether a neuron's voltages are counted from its reset value, at which they start."""
    resets = getattr(node, "v_reset", None)
    return preset.starts_at_reset and resets is not None and bool(np.any(np.asarray(resets) != 0))


def reads_plain(node: Any, preset: Preset) -> bool:
    """Whether a w_in of 1 is read as tau_syn / dt."""
    return preset.plain_w_in and bool(np.all(np.asarray(getattr(node, "w_in", 0)) == 1))


def list_ignored(kind: str, node: Any, preset: Preset) -> list[str]:
    """Parameters that a preset's framework ignores although they are not neutral here."""
    found = []
    if preset.current_input != "equation" and np.any(getattr(node, "w_in", np.ones(1)) != 1):
        found.append("w_in")
    resets = getattr(node, "v_reset", None)
    unused = preset.reset != "value" or not preset.keeps_reset_value
    if resets is not None and unused and np.any(np.asarray(resets) != 0):
        found.append("v_reset")
    if kind in ("IF", "I") and preset.integrator_input == "plain":
        found += ["r"] if np.any(np.asarray(node.r) != 1) else []
    if preset.ignores_r and kind in ("LIF", "LI"):
        found += ["r"] if np.any(np.asarray(node.r) != 1) else []
    return found


def _kept(tau: Floats, dt: float, preset: Preset) -> Floats:
    return 1 - dt / tau if preset.decay == "euler" else np.exp(-dt / tau)


def _made(**parameters: Any) -> FloatLIF:
    floats: dict[str, Any] = {
        key: value.astype(np.float32) if isinstance(value, np.ndarray) else value
        for key, value in parameters.items()
    }
    return FloatLIF(**floats)
