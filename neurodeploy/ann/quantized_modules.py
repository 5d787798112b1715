"""Quantized modules of torch, torchao and brevitas: weights, and steps of what they send.

torch's own (``torch.ao.nn.quantized``) hold packed tensors, torchao's weights are tensors with
``dequantize()``, brevitas' layers compute theirs (``quant_weight()``). Each gives floats that are
whole multiples of a step, which `weights.scale_for` keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Array, Clip, Grid, Identity, Operator, check_floats, refuse

FAMILIES = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.", "brevitas.nn.")
"""Where the classes of quantized modules are defined; torch's dynamic ones lie among the first."""

UNFINISHED = ("torch.ao.nn.qat.", "torch.ao.nn.intrinsic.qat.", "torch.ao.quantization.")
"""Where those are that only imitate integers while a network is trained, or observe it."""

LAYERS = {
    "Linear": "Linear", "LinearReLU": "Linear", "QuantLinear": "Linear",
    "Conv1d": "Conv", "Conv2d": "Conv", "ConvReLU1d": "Conv", "ConvReLU2d": "Conv",
    "QuantConv1d": "Conv", "QuantConv2d": "Conv",
    "ConvTranspose1d": "Transposed", "ConvTranspose2d": "Transposed",
    "QuantConvTranspose1d": "Transposed", "QuantConvTranspose2d": "Transposed",
}  # fmt: skip
"""Quantized modules with weights, and which plain layer each is."""


def is_quantized(module: Any) -> bool:
    """Whether a module is of a library of quantized ones."""
    return f"{type(module).__module__}.".startswith(FAMILIES)


def is_unfinished(module: Any) -> bool:
    """Whether a module imitates integers for training, so that it is not converted yet."""
    where = f"{type(module).__module__}."
    return where.startswith(UNFINISHED) and type(module).__name__ not in _OTHERS


def around(name: str, module: Any) -> tuple[list[Operator], list[Operator]]:
    """Give what stands before and behind a layer's sum: steps of its tensors, a rectifier.

    Parameters
    ----------
    name : str
        The module's path.
    module : torch.nn.Module
        A quantized one, of `LAYERS`.
    """
    before: list[Operator] = []
    after: list[Operator] = []
    if "ReLU" in type(module).__name__:
        after.append(Clip(0))
    if isinstance(getattr(module, "scale", None), float):
        after.append(Grid(_step(name, module.scale)))
    entering = getattr(module, "input_quant", None)
    if entering is not None and entering.is_quant_enabled:
        before += _of_proxy(name, entering, rectifies=False)
    return before, after


def other(name: str, module: Any) -> list[Operator]:
    """Give the operators of a quantized module without weights.

    Raises
    ------
    UnsupportedError
        If it has no form.
    """
    kind = type(module).__name__
    if kind not in _OTHERS:
        raise refuse(name, kind, nearest="use the plain module, or QuantReLU")
    return _OTHERS[kind](name, module)


def weight_of(name: str, module: Any) -> Array:
    """Give a layer's weights, quantized or not, as float64.

    Raises
    ------
    UnsupportedError
        If a weight of 0 is not the integer 0, or one is not finite.
    """
    if callable(getattr(module, "quant_weight", None)):
        found = module.quant_weight()
        _check_zero(name, getattr(found, "zero_point", None))
        return array(name, "weight", getattr(found, "value", found))
    weight = module.weight() if callable(module.weight) else module.weight
    return array(name, "weight", weight)


def bias_of(name: str, module: Any, count: int) -> Array:
    """Give a layer's biases as float64 [count]; zeros where it has none."""
    bias = module.bias() if callable(module.bias) else module.bias
    return np.zeros(count) if bias is None else array(name, "bias", bias)


def array(name: str, what: str, tensor: Any) -> Array:
    """Give a tensor, quantized or not, as float64.

    Raises
    ------
    UnsupportedError
        If its 0 is not the integer 0, it cannot be read, or a number is not finite.
    """
    import torch

    if getattr(tensor, "is_quantized", False):
        each = tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric)
        _check_zero(name, tensor.q_per_channel_zero_points() if each else tensor.q_zero_point())
        # The integers times the step in float64: torch's floats would round each product.
        whole = tensor.int_repr().double()
        if not each:
            return check_floats(name, what, (whole * tensor.q_scale()).numpy())
        shape = [1] * whole.ndim
        shape[tensor.q_per_channel_axis()] = -1
        scale = tensor.q_per_channel_scales().double().reshape(shape)
        return check_floats(name, what, (whole * scale).numpy())
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) and hasattr(tensor, "dequantize"):
        inside = getattr(tensor, "tensor_impl", getattr(tensor, "layout_tensor", None))
        try:
            plain = None if inside is None else inside.get_plain()
            tensor = tensor.dequantize()
        except Exception as error:  # torchao: kernels that this machine has not
            raise refuse(
                name, f"{what} of {type(tensor).__name__}",
                f"cannot be read here ({str(error).splitlines()[0][:80]})",
                "quantize it by int8_weight_only, or keep it in floats",
            ) from error  # fmt: skip
        if plain is not None and len(plain) > 2:
            _check_zero(name, plain[2])
    return check_floats(name, what, tensor.detach().cpu().double().numpy())


def _check_zero(name: str, zero: Any) -> None:
    """Refuse weights whose 0 is another integer."""
    if zero is None:
        return
    values = np.ravel(zero.detach().cpu().double().numpy() if hasattr(zero, "detach") else zero)
    if np.any(values != 0):
        raise refuse(
            name, "weight", f"has the zero point {values[values != 0][0]:g}, limit 0",
            "quantize weights symmetrically",
        )  # fmt: skip


def _step(name: str, scale: Any) -> float:
    step = float(scale)
    if not (np.isfinite(step) and step > 0):
        raise refuse(name, "scale", f"is {step:g}", "give a step above 0")
    return step


def _of_proxy(name: str, proxy: Any, rectifies: bool) -> list[Operator]:
    """Give what a quantizer of brevitas does to activations: it rounds to a step, and clips."""
    scale, bits, zero = proxy.scale(), proxy.bit_width(), proxy.zero_point()
    if scale is None or scale.numel() != 1:
        count = 0 if scale is None else scale.numel()
        raise refuse(
            name, "scale", f"of activations has {count} numbers", "train one, which is kept"
        )
    if np.any(zero.detach().cpu().numpy() != 0):
        raise refuse(
            name, "activation", f"has the zero point {float(zero.max()):g}, limit 0",
            "quantize activations symmetrically",
        )  # fmt: skip
    step = _step(name, scale)
    signed = bool(proxy.is_signed)
    top = 2.0 ** (float(bits) - signed) - 1
    if rectifies:
        return [Clip(0, top * step), Grid(step)]
    return [Grid(step)]


def _rectified(name: str, module: Any) -> list[Operator]:
    proxy = module.act_quant
    return _of_proxy(name, proxy, True) if proxy.is_quant_enabled else [Clip(0)]


def _sent_on(name: str, module: Any) -> list[Operator]:
    proxy = module.act_quant
    return _of_proxy(name, proxy, False) if proxy.is_quant_enabled else [Identity()]


_OTHERS: dict[str, Callable[[str, Any], list[Operator]]] = {
    "Quantize": lambda name, m: [Grid(_step(name, m.scale))],
    **dict.fromkeys(
        ("DeQuantize", "QuantStub", "DeQuantStub", "Dropout", "QuantDropout"),
        lambda name, m: [Identity()],
    ),
    "ReLU6": lambda name, m: [Clip(0, 6)],
    "QuantReLU": _rectified,
    "QuantIdentity": _sent_on,
}
"""Quantized modules without weights by the name of their class."""
