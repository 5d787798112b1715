"""The ``neuron`` group and ``bias`` of a NetX layer: reads them, `neuron_writer` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ...network import (
    ALIF,
    AdaptiveResonateFire,
    CubaLIF,
    Delta,
    GeneralCubaLIF,
    Neuron,
    Rating,
    ResonateFire,
    Sigma,
    SigmaDelta,
)
from ...network.fields import limits_of
from ...network.fixed_point import ACTIVATION_SHIFT, BIAS_BITS, DECAY_UNITY, THRESHOLD_BITS
from ...network.neurons import Parameter
from ..hdf5 import RAW_LOSS, Layer, rounding_loss
from .neuron_writer import (
    MAX_REFRACTORY,
    NEVER,
    RESONATORS,
    WEIGHT_EXPONENTS,
)

Note = Callable[[str, Rating, str], None]

TRAINING_ONLY = ("scaleRho", "tauRho", "theta")
"""SLAYER's surrogate gradient, and the threshold as a float beside vThMant."""

KINDS = ("CUBA", "LOIHI", "ALIF", "SDNN", *RESONATORS)

GRADED_EXPONENT = -6
"""SLAYER's graded spike is a state as a float, 2^-12 of the integer that we send; a weight stands
6 bits below the state, see `network.GeneralCubaLIF`."""

CURES = {
    "vThMant": "SLAYER writes 64 times the threshold, rounded",
    "vThStep": "SLAYER writes 64 times the step, rounded",
    **dict.fromkeys(
        ("iDecay", "vDecay", "thDecay", "refDecay"), "SLAYER writes 4096 times the decay, rounded"
    ),
    **dict.fromkeys(
        ("sinDecay", "cosDecay"), "SLAYER writes 4096 times what is kept at each step, rounded"
    ),
}
"""What to do about a parameter that is no whole number."""

NO_NEURON_THRESHOLD = 1 << 17
"""netx gives a dense layer without a neuron this threshold, which v never reaches."""


def read_neuron(
    layer: Layer,
    shape: tuple[int, ...],
    note: Note,
    *,
    is_input: bool = False,
    bias: Parameter = 0,
    source: Neuron | None = None,
) -> Neuron:
    """Read a layer's neuron.

    Parameters
    ----------
    layer : Layer
    shape : tuple of int
        The layer's shape, (neurons,) or (C, H, W).
    note : callable
        Adds an entry to the audit.
    is_input : bool
        Whether the layer is an ``input`` layer.
    bias : int or int32 [neurons]
    source : Neuron, optional
        The neuron of the layer before; if it sends graded spikes, what arrives
        is scaled as SLAYER scales it.

    Raises
    ------
    FormatError, UnsupportedError
    """
    exponent = input_exponent_after(source)
    if "neuron" not in layer:
        reason = (
            "no neuron: a non-leaky integrator that never spikes, as netx and Lava read it; "
            "read v, whose change from step to step is SLAYER's output"
        )
        note(f"{layer.where}/neuron", Rating.APPROXIMATE, reason)
        return CubaLIF(0, DECAY_UNITY, NO_NEURON_THRESHOLD, bias)
    group = layer.sub("neuron")
    kind = group.text("type")
    if kind in ("CUBA", "LOIHI"):
        neuron: Neuron = _cuba(group, shape, note, bias, exponent)
    elif kind == "SDNN":
        neuron = _sigma_delta(group, shape, note, bias, is_input)
    elif kind == "ALIF":
        neuron = _alif(group, shape, note, bias, exponent)
    elif kind in RESONATORS:
        if np.any(bias != 0):
            reason = "a bias on a resonator, which SLAYER never exports; ignored"
            note(f"{layer.where}/bias", Rating.UNSUPPORTED, reason)
        neuron = _resonator(group, shape, note, exponent)
    else:
        raise FormatError(
            f"{layer.path}: {group.where}: unknown neuron type {kind!r}; "
            f"known are {', '.join(KINDS)}"
        )
    note_empty(group, note)
    for key in group.unread():
        note(f"{group.where}/{key}", Rating.APPROXIMATE, "not known to NetX; ignored")
    return neuron


def note_empty(layer: Layer, note: Note) -> None:
    """Say which datasets of a group have no value, as mlGeNN's exporter leaves some."""
    for key in layer.empty():
        note(f"{layer.where}/{key}", Rating.FAITHFUL, "a dataset without a value; read as absent")


def input_exponent_after(source: Neuron | None) -> int:
    """`input_exponent` of a population that takes the messages of these neurons."""
    return GRADED_EXPONENT if getattr(source, "graded_spike", False) else ACTIVATION_SHIFT


def read_bias(layer: Layer, shape: tuple[int, ...], note: Note) -> Parameter:
    """Read a layer's bias mantissas: one, one per channel, or one per neuron.

    One per neuron of a (C, H, W) layer is stored in (W, H, C) order, which is
    what netx adds to its neurons.
    """
    if "bias" not in layer:
        return 0
    values = layer.numbers("bias")
    rounded = np.rint(values)
    if (loss := rounding_loss(values)) > RAW_LOSS:
        reason = (
            f"raw floats up to {np.abs(values).max():.3g}: rounded they lose {loss:.0%} of their "
            f"size; multiply by the number by which vThMant was, 64 in SLAYER, and round"
        )
        note(f"{layer.where}/bias", Rating.UNSUPPORTED, reason)
    elif (change := np.abs(values - rounded)).any():
        reason = f"not whole; rounded, by at most {change.max():.3g} (netx truncates)"
        note(f"{layer.where}/bias", Rating.APPROXIMATE, reason)
    limit = 1 << (BIAS_BITS - 1)
    if np.abs(rounded).max(initial=0) >= limit:
        raise layer.fail(
            "bias", f"holds {np.abs(rounded).max():g}, limit {limit - 1}; scale the layer down"
        )
    if values.ndim == 3 and values.size > max(values.shape):
        rounded = rounded.transpose(2, 1, 0)
    return per_neuron(layer, "bias", rounded.astype(np.int64), shape)


def per_neuron(
    layer: Layer, key: str, values: NDArray[np.int64], shape: tuple[int, ...]
) -> Parameter:
    """Spread one value, or one per channel, over the neurons; equal ones become an int."""
    size = int(np.prod(shape))
    flat = values.ravel()
    if flat.size not in (1, shape[0], size):
        raise layer.fail(key, f"has {flat.size} values, needs 1, {shape[0]} or {size}")
    if (flat == flat[0]).all():
        return int(flat[0])
    return np.repeat(flat, size // flat.size).astype(np.int32)


def _parameter(group: Layer, key: str, shape: tuple[int, ...], low: int, high: int) -> Parameter:
    values = group.integers(key, CURES.get(key, "quantize the network"))
    if values.size and (values.min() < low or values.max() > high):
        worst = values.min() if values.min() < low else values.max()
        raise group.fail(key, f"holds {worst}, needs {low}..{high}")
    return per_neuron(group, key, values, shape)


def _cuba(
    group: Layer, shape: tuple[int, ...], note: Note, bias: Parameter, exponent: int
) -> CubaLIF | GeneralCubaLIF:
    graded = _graded(group, note)
    refractory = _refractory(group, shape, note)
    exponent += _weight_exponent(group, note)
    _check_ignored(group, note)
    plain = CubaLIF(
        current_decay=_decay(group, "iDecay", shape),
        voltage_decay=_decay(group, "vDecay", shape),
        threshold=_threshold(group, shape),
        bias=bias,
    )
    if exponent == ACTIVATION_SHIFT and not graded and np.all(refractory == 1):
        return plain
    return GeneralCubaLIF(
        **vars(plain), refractory=refractory, graded_spike=graded, input_exponent=exponent
    )


NO_REFRACTORY = (
    "0, no refractory period: read as 1, which is none either, since a neuron that spikes is reset "
    "in that step and may spike in the next; netx ignores it"
)


def _refractory(group: Layer, shape: tuple[int, ...], note: Note) -> Parameter:
    """Read ``refDelay`` as the chip's refractory delay.

    A neuron that spikes at step t may spike again at t + refDelay; until then
    its voltage stays 0. So nengo-loihi's emulator has it
    (``emulator/interface.py:327``, 1.1.0), whose ``refract_delay`` is what it
    configures on the chip, and Lava's ``LIFRefractory`` (``refDelay`` - 1).
    SLAYER always writes 1 (``neuron/cuba.py:251``, lava-dl 0.6.0) and trains
    with no more; netx ignores it.
    """
    if "refDelay" not in group:
        return 1
    delay = _parameter(group, "refDelay", shape, 0, MAX_REFRACTORY)
    where = f"{group.where}/refDelay"
    if np.any(delay == 0):
        note(where, Rating.FAITHFUL, NO_REFRACTORY)
    if np.any(delay > 1):
        reason = (
            f"no spike for up to {np.max(delay) - 1} steps after a spike, as on the chip; SLAYER "
            f"trains with none and netx ignores it"
        )
        note(where, Rating.FAITHFUL, reason)
    return np.maximum(delay, 1) if isinstance(delay, np.ndarray) else max(delay, 1)


def _weight_exponent(group: Layer, note: Note) -> int:
    """Read ``wgtExp``: weights count 2^wgtExp times, as on the chip and in Lava's Dense.

    slayerPytorch's Loihi neuron, whose files have it, scales weights by
    2^(6 + wgtExp). Where it is negative Lava drops what lies below 1/64, here
    the state's six bits keep it.
    """
    if "wgtExp" not in group or (exponent := group.integer("wgtExp")) == 0:
        return 0
    least, most = WEIGHT_EXPONENTS
    if not least <= exponent <= most:
        raise group.fail("wgtExp", f"is {exponent}, needs {least}..{most}")
    reason = f"weights count 2^{exponent} times, as on the chip; netx ignores it"
    note(f"{group.where}/wgtExp", Rating.FAITHFUL, reason)
    return exponent


def _alif(group: Layer, shape: tuple[int, ...], note: Note, bias: Parameter, exponent: int) -> ALIF:
    _check_refractory(group, note)
    _check_ignored(group, note)
    note(f"{group.where}/type", Rating.FAITHFUL, "as SLAYER computes it; netx cannot read ALIF")
    return ALIF(
        current_decay=_decay(group, "iDecay", shape),
        voltage_decay=_decay(group, "vDecay", shape),
        threshold_decay=_decay(group, "thDecay", shape),
        refractory_decay=_decay(group, "refDecay", shape),
        threshold=_threshold(group, shape),
        threshold_step=_parameter(group, "vThStep", shape, 0, NEVER),
        bias=bias,
        graded_spike=_graded(group, note),
        input_exponent=exponent,
    )


def _resonator(
    group: Layer, shape: tuple[int, ...], note: Note, exponent: int
) -> ResonateFire | AdaptiveResonateFire:
    kind = group.text("type")
    _check_refractory(group, note)
    _check_ignored(group, note)
    parameters: dict[str, Any] = {
        "sin_decay": _parameter(group, "sinDecay", shape, *limits_of(ResonateFire, "sin_decay")),
        "cos_decay": _parameter(group, "cosDecay", shape, *limits_of(ResonateFire, "cos_decay")),
        "threshold": _threshold(group, shape),
    }
    reason = "the file's decays as they are; netx turns them into a period and back, truncating"
    if issubclass(RESONATORS[kind], AdaptiveResonateFire):
        parameters["threshold_decay"] = _decay(group, "thDecay", shape)
        parameters["refractory_decay"] = _decay(group, "refDecay", shape)
        parameters["threshold_step"] = _parameter(group, "vThStep", shape, 0, NEVER)
        reason = "as SLAYER computes it; netx reads it as RF, without adaptation"
    note(f"{group.where}/type", Rating.FAITHFUL, reason)
    parameters["graded_spike"] = _graded(group, note)
    return RESONATORS[kind](**parameters, input_exponent=exponent)


def _decay(group: Layer, key: str, shape: tuple[int, ...]) -> Parameter:
    return _parameter(group, key, shape, *limits_of(CubaLIF, "current_decay"))


def _threshold(group: Layer, shape: tuple[int, ...]) -> Parameter:
    # A voltage never gets to the last of these.
    return _parameter(group, "vThMant", shape, 0, NEVER)


def _graded(group: Layer, note: Note) -> bool:
    graded = group.flag("gradedSpike")
    if graded:
        reason = "the payload is the state that fired, 2^12 of SLAYER's value; netx ignores it"
        note(f"{group.where}/gradedSpike", Rating.FAITHFUL, reason)
    return graded


def _check_refractory(group: Layer, note: Note) -> None:
    if "refDelay" not in group or (delay := group.integer("refDelay")) == 1:
        return
    if delay == 0:
        note(f"{group.where}/refDelay", Rating.FAITHFUL, NO_REFRACTORY)
    else:
        reason = f"a refractory period of {delay} steps, which this neuron has in no simulator"
        note(f"{group.where}/refDelay", Rating.UNSUPPORTED, reason)


def _check_ignored(group: Layer, note: Note) -> None:
    """Note what a spiking neuron's group may hold and our neuron has not.

    ``weight_exp`` comes from SLAYER's ``WgtScaleBatchNorm`` and is no exponent
    of weights: its forward pass divides the *current* by 2^weight_exp, mean
    and all, into a voltage that is finer than 1/4096 then, and clamps the
    exponent to limits that the file does not hold (``neuron/norm.py:164-220``,
    lava-dl 0.6.0). netx ignores it.
    """
    for key in ("wgtExp", "weight_exp"):
        if key in group and key not in group.read and (exponents := group.numbers(key)).any():
            reason = f"weight exponent {exponents.ravel()[0]:g}, which netx ignores"
            if key == "weight_exp":
                reason = (
                    f"{exponents.ravel()[0]:g}: SLAYER divides currents by 2 to this power, after "
                    f"their decay, which no chip does; train without WgtScaleBatchNorm"
                )
            note(f"{group.where}/{key}", Rating.UNSUPPORTED, reason)
    for key in TRAINING_ONLY:
        if key in group:
            group.read.add(key)
            note(f"{group.where}/{key}", Rating.FAITHFUL, "only used in training; not kept")


def _sigma_delta(
    group: Layer, shape: tuple[int, ...], note: Note, bias: Parameter, is_input: bool
) -> Neuron:
    threshold = _parameter(group, "vThMant", shape, 0, (1 << THRESHOLD_BITS) - 1)
    if "weight_exp" in group and group.numbers("weight_exp").any():
        note(f"{group.where}/weight_exp", Rating.UNSUPPORTED, "a weight exponent netx ignores")
    activation = group.text("activation") if "activation" in group else "relu"
    sigma_output = group.flag("sigma_output")
    if is_input:
        return Delta(threshold)
    if sigma_output:
        if np.any(bias != 0):
            note(f"{group.where}/bias", Rating.UNSUPPORTED, "a bias on a sigma output")
        return Sigma()
    if activation != "relu":
        reason = f"activation {activation!r} read as relu, as netx does"
        note(f"{group.where}/activation", Rating.UNSUPPORTED, reason)
    return SigmaDelta(threshold, bias)
