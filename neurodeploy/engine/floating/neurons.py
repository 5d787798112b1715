"""Steps `network.FloatLIF`: one kernel over blocks of samples and steps, all in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import FloatLIF

_VALUE, _SUBTRACT, _NONE = 0, 1, 2
_SAME, _BEFORE, _AFTER, _AGAIN = 0, 1, 2, 3
_SPIKE, _VOLTAGE, _COUNT = 0, 1, 2

_LOWEST = np.finfo(np.float32).min

Floats = NDArray[np.float32]


@dataclass
class Neurons:
    """A population's neurons with their states, zero at first.

    Attributes
    ----------
    u, v : float32 [samples, neurons]
    owed : float32 [samples, neurons]
        Resets that are still to come: the spikes of the last step, or, for the reset time
        ``again``, whether v is still above the threshold.
    """

    parameters: tuple[Floats, ...]
    choices: tuple[int, int, bool, bool, int]
    u: Floats
    v: Floats
    owed: Floats

    @classmethod
    def of(cls, neuron: FloatLIF, size: int, samples: int) -> Neurons:
        """Spread the parameters over all neurons."""
        names = (
            "current_keep", "current_gain", "current_bias",
            "voltage_keep", "voltage_gain", "voltage_bias", "threshold", "reset_value",
        )  # fmt: skip
        values = [getattr(neuron, name) for name in names]
        values.append(_LOWEST if neuron.minimum is None else neuron.minimum)
        parameters = tuple(
            np.ascontiguousarray(np.broadcast_to(np.asarray(value, np.float32), size))
            for value in values
        )
        choices = (
            ("value", "subtract", "none").index(neuron.reset),
            ("same", "before", "after", "again").index(neuron.reset_time),
            neuron.inclusive,
            neuron.sees_last_current,
            ("spike", "voltage", "count").index(neuron.sends),
        )
        states = (np.zeros((samples, size), np.float32) for _ in range(3))
        return cls(parameters, choices, *states)

    def step(self, current: Floats, sent: Floats, u_record: Floats, v_record: Floats) -> None:
        """Run over `current` [samples, steps, neurons] and write what is sent into `sent`.

        Records are of the same shape, or empty where nothing is to be kept.
        """
        _step(
            current, sent, self.u, self.v, self.owed, *self.parameters, *self.choices,
            u_record, v_record,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, sent, u, v, owed,
    current_keep, current_gain, current_bias, voltage_keep, voltage_gain, voltage_bias,
    threshold, reset_value, minimum, reset, reset_time, inclusive, last, sends, u_record, v_record,
):  # fmt: skip
    zero, one = np.float32(0), np.float32(1)
    for s in range(current.shape[0]):
        for t in range(current.shape[1]):
            for j in range(current.shape[2]):
                before = u[s, j]
                now = current_keep[j] * before + current_gain[j] * (
                    current[s, t, j] + current_bias[j]
                )
                u[s, j] = now
                x = v[s, j]
                count = owed[s, j]
                if reset_time == _BEFORE and count > zero:
                    x = reset_value[j] if reset == _VALUE else x - count * threshold[j]
                x = voltage_keep[j] * x + voltage_gain[j] * (before if last else now)
                x += voltage_bias[j]
                if reset_time == _AFTER and count > zero:
                    x = reset_value[j] if reset == _VALUE else x - count * threshold[j]
                if reset_time == _AGAIN:
                    x -= count * threshold[j]
                    before = count
                fires = x >= threshold[j] if inclusive else x > threshold[j]
                count = one if fires else zero
                if sends == _COUNT:
                    count = max(zero, np.float32(np.floor(x / threshold[j])))
                sent[s, t, j] = x if sends == _VOLTAGE else count
                if reset == _NONE:
                    count = zero
                if reset_time == _AGAIN:
                    x -= (count - before) * threshold[j]
                    owed[s, j] = one if x > threshold[j] else zero
                elif reset_time == _SAME:
                    if count > zero:
                        x = reset_value[j] if reset == _VALUE else x - count * threshold[j]
                else:
                    owed[s, j] = count
                x = max(x, minimum[j])
                v[s, j] = x
                if u_record.size:
                    u_record[s, t, j] = now
                if v_record.size:
                    v_record[s, t, j] = x
