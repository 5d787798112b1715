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
    integrator_input : {"equation", "r", "plain"}
        What scales the input of I and IF: R T, R or 1.
    reset : {"value", "subtract"}
    reset_time : str
        As in `FloatLIF`; of neurons with a current, `cuba_reset_time`.
    keeps_reset_value : bool
        Whether NIR's v_reset is used; else 0.
    inclusive : bool
    counts : bool
        Whether a neuron can spike several times in a step.
    floor : bool
        Whether an IF's voltage stays above minus its threshold.
    late_loop_bias : bool
        Whether the bias of a recurrent node counts from the second step on: nirtorch feeds a loop
        with what its node gave in the step before, in the first step with nothing.
    sends_late : bool
        Whether spikes leave one step after the voltage crossed the threshold.
    """

    name: str
    framework: str
    decay: str = "euler"
    voltage_input: str = "equation"
    ignores_r: bool = False
    r_says_step: bool = False
    current_input: str = "equation"
    integrator_input: str = "equation"
    reset: str = "value"
    reset_time: str = "same"
    cuba_reset_time: str = "same"
    keeps_reset_value: bool = True
    inclusive: bool = False
    counts: bool = False
    floor: bool = False
    late_loop_bias: bool = False
    sends_late: bool = False

    def with_reset(self, reset: str | None) -> Preset:
        """The same with a ``hard`` or ``soft`` reset, or as it is for None."""
        if reset is None:
            return self
        if reset not in ("hard", "soft"):
            raise FormatError(f"reset: {reset!r}; give hard (to a value) or soft (subtract)")
        return replace(self, reset="value" if reset == "hard" else "subtract")

    def sentence(self) -> str:
        """What it does, for the audit."""
        words = [
            "forward Euler" if self.decay == "euler" else "exponential decay",
            "reset to a value" if self.reset == "value" else "reset by subtraction",
            {"same": "in the step of the spike", "before": "before the next step",
             "after": "in the step after"}[self.cuba_reset_time],
            f"spikes {'at' if self.inclusive else 'above'} the threshold",
        ]  # fmt: skip
        if self.counts:
            words.append("several spikes in a step")
        if self.sends_late:
            words.append("spikes leave a step late")
        return f"preset {self.name}: {', '.join(words)}"


_ALL = (
    Preset("lava", "the order of Lava and the chip"),
    Preset(
        "snntorch", "snnTorch 1.0.0, Leaky and Synaptic as trained (reset_delay=True)",
        integrator_input="r", reset_time="before", cuba_reset_time="after", keeps_reset_value=False,
    ),
    Preset(
        "snntorch-import", "snnTorch 1.0.0 as its own NIR import builds it (reset_delay=False)",
        integrator_input="r", keeps_reset_value=False,
    ),
    Preset(
        "norse",
        "Norse 1.1.0",
        ignores_r=True,
        late_loop_bias=True,
        integrator_input="plain",
        keeps_reset_value=False,
    ),
    Preset(
        "sinabs", "Sinabs 3.1.3", decay="exponential", voltage_input="plain",
        current_input="decayed", integrator_input="plain", reset="subtract", inclusive=True,
        counts=True, floor=True,
    ),
    Preset(
        "rockpool", "Rockpool 3.1.0", r_says_step=True,
        decay="exponential", voltage_input="plain",
        current_input="decayed", integrator_input="plain", reset="subtract", inclusive=True,
        counts=True,
    ),
    Preset("spikingjelly", "SpikingJelly 2.0.0", inclusive=True, late_loop_bias=True),
    Preset(
        "spyx", "Spyx 1.0.0", voltage_input="plain", current_input="plain",
        integrator_input="plain", reset="subtract", reset_time="after", cuba_reset_time="before",
        sends_late=True,
    ),
)  # fmt: skip

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""By the value of ``--from``."""


def preset_named(name: str | None) -> Preset:
    """Find a preset; None is the chip's own order.

    Raises
    ------
    FormatError
        If there is none of that name.
    """
    if name is None:
        return PRESETS["lava"]
    if name not in PRESETS:
        raise FormatError(f"preset {name!r}: unknown; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def neuron_of(kind: str, node: Any, dt: float, preset: Preset, size: int) -> FloatLIF:
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
            "reset_time": preset.cuba_reset_time if kind == "CubaLIF" else preset.reset_time,
            "inclusive": preset.inclusive,
            "sends": "count" if preset.counts else "spike",
            "reset_value": value("v_reset") if preset.keeps_reset_value else 0 * one,
        }
        if preset.floor and kind == "IF":
            spikes["minimum"] = -value("v_threshold")
        if preset.reset == "subtract":
            spikes["reset_value"] = 0 * one
    if kind in ("I", "IF"):
        gain = {"equation": value("r") * dt, "r": value("r"), "plain": one}
        return _made(voltage_keep=one, voltage_gain=gain[preset.integrator_input], **spikes)
    keep = _kept(value("tau_mem" if kind.startswith("Cuba") else "tau"), dt, preset)
    gain_v = value("r") * (1 - keep) if preset.voltage_input == "equation" else one
    if preset.ignores_r and not kind.startswith("Cuba"):
        gain_v = 1 - keep
    leak = value("v_leak") * (1 - keep)
    if not kind.startswith("Cuba"):
        return _made(voltage_keep=keep, voltage_gain=gain_v, voltage_bias=leak, **spikes)
    keep_u = _kept(value("tau_syn"), dt, preset)
    gain_u = {
        "equation": value("w_in") * (1 - keep_u),
        "plain": one,
        "decayed": keep_u,
    }[preset.current_input]
    return _made(
        current_keep=keep_u, current_gain=gain_u,
        voltage_keep=keep, voltage_gain=gain_v, voltage_bias=leak, **spikes,
    )  # fmt: skip


def ignored(kind: str, node: Any, preset: Preset) -> list[str]:
    """Parameters that a preset's framework ignores although they are not neutral here."""
    found = []
    if preset.current_input != "equation" and np.any(getattr(node, "w_in", np.ones(1)) != 1):
        found.append("w_in")
    resets = getattr(node, "v_reset", None)
    unused = preset.reset == "subtract" or not preset.keeps_reset_value
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
