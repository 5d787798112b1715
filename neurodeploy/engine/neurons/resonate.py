"""Resonators: `network.ResonateFire`, `AdaptiveResonateFire` and their Izhikevich forms.

The first half of a population's currents is real, the second half imaginary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ...network import (
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    Population,
    ResonateFire,
    ResonateFireIzhikevich,
)
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from .arithmetic import clipped, clips, scaled, spread, turned
from .base import KernelStepper, decayed, listed

_ZERO = np.int32(0)
_ONE = np.int32(1)


class ResonateStepper(KernelStepper):
    """Steps `network.ResonateFire` and `ResonateFireIzhikevich`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, ResonateFire)
        self.parameters = (
            spread(neuron.sin_decay, population),
            spread(neuron.cos_decay, population),
            spread(neuron.threshold, population, ACTIVATION_SHIFT),
            isinstance(neuron, ResonateFireIzhikevich),
            neuron.input_exponent,
        )

    def states_needed(self) -> int:
        """Real and imaginary part, and the imaginary part of the step before."""
        return 3

    def kernel(self) -> Callable[..., int]:
        """See `KernelStepper.kernel`."""
        kernel: Callable[..., int] = _step
        return kernel


class AdaptiveResonateStepper(KernelStepper):
    """Steps `network.AdaptiveResonateFire` and `AdaptiveResonateFireIzhikevich`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, AdaptiveResonateFire)
        self.parameters = (
            spread(neuron.sin_decay, population),
            spread(neuron.cos_decay, population),
            spread(DECAY_UNITY - neuron.threshold_decay, population),
            spread(DECAY_UNITY - neuron.refractory_decay, population),
            spread(neuron.threshold, population, ACTIVATION_SHIFT),
            spread(neuron.threshold_step, population, ACTIVATION_SHIFT),
            isinstance(neuron, AdaptiveResonateFireIzhikevich),
            neuron.input_exponent,
        )

    def states_needed(self) -> int:
        """Real, imaginary, imaginary before, the threshold's rise, refractoriness."""
        return 5

    def kernel(self) -> Callable[..., int]:
        """See `KernelStepper.kernel`."""
        kernel: Callable[..., int] = _step_adaptive
        return kernel


@njit(nogil=True, cache=True)
def _turn(a, exponent, re, im, before, sine, cosine):  # type: ignore[no-untyped-def]
    """Turn one sample's states by one step; give how often each part was clipped."""
    size = re.size
    re_clips = 0
    im_clips = 0
    for j in range(size):
        x, y = re[j], im[j]
        sin, cos = sine[j], cosine[j]
        real = np.int32(np.int32(turned(x, cos) - turned(y, sin)) + scaled(a[j], exponent))
        imag = np.int32(np.int32(turned(x, sin) + turned(y, cos)) + scaled(a[size + j], exponent))
        re_clips += clips(real)
        im_clips += clips(imag)
        re[j] = clipped(real)
        im[j] = clipped(imag)
        before[j] = y
    return re_clips, im_clips


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, re, im, before, sine, cosine, threshold, by_height, exponent, resets,
    used, start, count, neuron, payload, graded, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = re.shape[1]
    for s in range(current.shape[0]):
        res, ims, befores = re[s], im[s], before[s]
        for t in range(t0, t0 + current.shape[1]):
            if resets[t]:
                res[:] = 0
                ims[:] = 0
            re_clips, im_clips = _turn(
                current[s, t - t0], exponent, res, ims, befores, sine, cosine
            )
            u_overflows[s] += re_clips
            v_overflows[s] += im_clips
            start[s, t] = used
            for j in range(size):
                if by_height:
                    height = ims[j]
                    fires = height >= threshold[j]
                    res[j] = _ZERO if fires else res[j]
                    ims[j] = np.int32(threshold[j] - _ONE) if fires else ims[j]
                else:
                    height = res[j]
                    crosses = (ims[j] >= _ZERO) & (befores[j] < _ZERO)
                    fires = crosses & (height >= threshold[j])
                used = listed(neuron, payload, graded, used, j, fires, height)
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = res
            if v_record.size:
                v_record[s, t] = ims
    return used


@njit(nogil=True, cache=True)
def _step_adaptive(  # type: ignore[no-untyped-def]
    current, t0, re, im, before, rise, refractory, sine, cosine, keep_rise, keep_refractory,
    rest, rise_step, by_height, exponent, resets,
    used, start, count, neuron, payload, graded, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = re.shape[1]
    for s in range(current.shape[0]):
        res, ims, befores, rises, refractories = re[s], im[s], before[s], rise[s], refractory[s]
        for t in range(t0, t0 + current.shape[1]):
            if resets[t]:
                res[:] = 0
                ims[:] = 0
                rises[:] = 0
                refractories[:] = 0
            re_clips, im_clips = _turn(
                current[s, t - t0], exponent, res, ims, befores, sine, cosine
            )
            u_overflows[s] += re_clips
            v_overflows[s] += im_clips
            start[s, t] = used
            for j in range(size):
                rises[j] = decayed(rises[j], keep_rise[j])
                refractories[j] = decayed(refractories[j], keep_refractory[j])
                threshold = np.int32(rest[j] + rises[j])
                v_overflows[s] += clips(threshold) | clips(refractories[j])
                height = ims[j] if by_height else res[j]
                crosses = by_height | ((ims[j] >= _ZERO) & (befores[j] < _ZERO))
                fires = crosses & (height >= np.int32(threshold + refractories[j]))
                used = listed(neuron, payload, graded, used, j, fires, height)
                if fires:
                    refractories[j] = np.int32(refractories[j] + np.int32(threshold + threshold))
                    rises[j] = np.int32(rises[j] + rise_step[j])
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = res
            if v_record.size:
                v_record[s, t] = ims
    return used
