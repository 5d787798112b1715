"""Published learning rules in the engine's form, each with its source.

Each gives a `LearningRule`; exponents are of the engine's own scale, on which a product of two
traces counts 1/8 and one of three 1/1024 of what its equation says (docs/learning.md).
"""

from __future__ import annotations

from .rule import LearningRule


def stdp(
    *,
    gain: int = -2,
    impulse: float = 20.0,
    tau_plus: float = 10.0,
    tau_minus: float = 10.0,
    epoch: int = 1,
    sign: str = "mixed",
    seed: int = 1,
) -> LearningRule:
    """Pairwise spike-timing-dependent plasticity.

    Source: Gerstner, Kempter, van Hemmen and Wagner, Nature 383, 1996; the form is Lava's
    ``STDPLoihi`` with equal amplitudes.

    Parameters
    ----------
    gain : int
        Exponent of the weight's change for one pair, -7..8.
    impulse : float
        Of both traces.
    tau_plus, tau_minus : float
        Steps, of the trace before a spike of the target, and of the one before a spike of the
        source.
    epoch, sign, seed
        As in `LearningRule`.

    Examples
    --------
    >>> stdp().text
    'dw = 2^-2*y0*x1 - 2^-2*x0*y1'
    """
    return LearningRule(
        f"dw = 2^{gain}*y0*x1 - 2^{gain}*x0*y1",
        x1_impulse=impulse,
        x1_tau=tau_plus,
        y1_impulse=impulse,
        y1_tau=tau_minus,
        epoch=epoch,
        sign=sign,
        seed=seed,
    )


def reward_modulated_stdp(
    *,
    gain: int = -3,
    eligibility: int = 0,
    decay: int = -4,
    impulse: float = 20.0,
    tau: float = 10.0,
    epoch: int = 1,
    sign: str = "mixed",
    seed: int = 1,
) -> LearningRule:
    """STDP into a tag, which a reward turns into weight.

    Source: Frémaux and Gerstner, "Neuromodulated spike-timing-dependent plasticity, and theory of
    three-factor learning rules", Frontiers in Neural Circuits 9, 2016; Lava's
    ``RewardModulatedSTDP``. Here with a reward of either sign, as y2 - y3 of `ModulatedLIF`, whose
    y1 is the trace of its own messages.

    Parameters
    ----------
    gain, eligibility, decay : int
        Exponents: of the weight's change, of what a pair adds to the tag, and of the part of the
        tag that is forgotten in an epoch.
    """
    pair = f"2^{eligibility}*y0*x1 - 2^{eligibility}*x0*y1"
    return LearningRule(
        f"dt = {pair} - 2^{decay}*u0*t; dw = 2^{gain}*u0*t*y2 - 2^{gain}*u0*t*y3",
        x1_impulse=impulse,
        x1_tau=tau,
        epoch=epoch,
        factors="three",
        sign=sign,
        seed=seed,
    )


def oja(
    *,
    gain: int = -3,
    decay: int = -3,
    impulse: float = 20.0,
    tau: float = 10.0,
    epoch: int = 4,
    sign: str = "excitatory",
    seed: int = 1,
) -> LearningRule:
    """Hebbian growth that bounds itself: the weights turn to the first principal component.

    Source: Oja, "A simplified neuron model as a principal component analyzer", Journal of
    Mathematical Biology 15, 1982: ``dw = a x y - b y^2 w``.

    Parameters
    ----------
    gain, decay : int
        Exponents of the two terms.
    """
    return LearningRule(
        f"dw = 2^{gain}*u0*x1*y1 - 2^{decay}*u0*y1*y1*w",
        x1_impulse=impulse,
        x1_tau=tau,
        y1_impulse=impulse,
        y1_tau=tau,
        epoch=epoch,
        sign=sign,
        seed=seed,
    )


def delta_rule(
    *,
    gain: int = -4,
    impulse: float = 20.0,
    tau: float = 10.0,
    epoch: int = 1,
    seed: int = 1,
) -> LearningRule:
    """Last layer by the error: ``dw = gain x1 (y2 - y3)``.

    Source: Widrow and Hoff, "Adaptive switching circuits", 1960. With `ModulatedLIF` behind it,
    whose third factor is the target and whose `message_cost` is what a message counts, y2 - y3 is
    the error.

    Parameters
    ----------
    gain : int
        Exponent of the weight's change.
    """
    return LearningRule(
        f"dw = 2^{gain}*u0*x1*y2 - 2^{gain}*u0*x1*y3",
        x1_impulse=impulse,
        x1_tau=tau,
        epoch=epoch,
        factors="three",
        seed=seed,
    )


def eprop(
    *,
    gain: int = -4,
    eligibility: int = -2,
    decay: int = -3,
    impulse: float = 20.0,
    tau: float = 10.0,
    epoch: int = 1,
    seed: int = 1,
) -> LearningRule:
    """e-prop: a filtered eligibility trace in each synapse's tag, times a learning signal.

    Source: Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking
    neurons", Nature Communications 11, 2020. x1 stands for the filtered spikes of the source, y1
    of `ModulatedLIF` (surrogate) for the pseudo-derivative, y2 - y3 for the learning signal; the
    tag is the low-pass filter of their eligibility. What is left out: the factor of a hard reset
    in the eligibility, which would need a second number for each synapse.

    Parameters
    ----------
    gain, eligibility, decay : int
        Exponents: of the weight's change, of what enters the tag, and of the part of it that is
        forgotten in an epoch.
    """
    return LearningRule(
        f"dt = 2^{eligibility}*u0*x1*y1 - 2^{decay}*u0*t; dw = 2^{gain}*u0*t*y2 - 2^{gain}*u0*t*y3",
        x1_impulse=impulse,
        x1_tau=tau,
        epoch=epoch,
        factors="three",
        seed=seed,
    )


def eprop_without_tags(
    *, gain: int = 0, impulse: float = 20.0, tau: float = 10.0, epoch: int = 1, seed: int = 1
) -> LearningRule:
    """e-prop with no state in the synapse: ``dw = gain x1 y1 (y2 - y3)``, at once.

    Source: Frenkel and Indiveri, "ReckOn: a 28nm sub-mm2 task-agnostic spiking recurrent neural
    network processor enabling on-chip learning over second-long timescales", ISSCC 2022.

    Parameters
    ----------
    gain : int
        Exponent of the weight's change.
    """
    return LearningRule(
        f"dw = 2^{gain}*u0*x1*y1*y2 - 2^{gain}*u0*x1*y1*y3",
        x1_impulse=impulse,
        x1_tau=tau,
        epoch=epoch,
        factors="three",
        seed=seed,
    )


def etlp(
    *, gain: int = 0, impulse: float = 20.0, tau: float = 10.0, epoch: int = 1, seed: int = 1
) -> LearningRule:
    """Event-based three-factor local plasticity.

    Source: Quintana, Perez-Peña, Galindo, Neftci, Chicca and Khacef, "ETLP: event-based
    three-factor local plasticity for online learning with neuromorphic hardware", Neuromorphic
    Computing and Engineering 4, 2024. The equation is that of `eprop_without_tags`; what differs
    is the signal: labels through fixed random weights right into the third factor (direct random
    target projection), no error is computed. It counts at spikes of the source alone.

    Parameters
    ----------
    gain : int
        Exponent of the weight's change.
    """
    return LearningRule(
        f"dw = 2^{gain}*x0*x1*y1*y2 - 2^{gain}*x0*x1*y1*y3",
        x1_impulse=impulse,
        x1_tau=tau,
        epoch=epoch,
        factors="three",
        seed=seed,
    )


def imprint(*, seed: int = 1) -> LearningRule:
    """Write a graded pattern into the weights of the neuron that is told to take it, in one step.

    Source: Hajizada et al., "CLP-SNN" (arXiv:2511.01553): x1 is overwritten by payloads, and a
    neuron that fires with its third factor at 127 takes the pattern as its prototype. A payload
    p of 0..254 becomes a weight of p, give or take 3.

    Notes
    -----
    ``2^-3 y0 x1 y2`` is (127 x1 / 8) 2^4 / 128 = 1.98 x1 and x1 is p / 2.
    """
    return LearningRule(
        "dw = 2^-3*y0*x1*y2",
        x1_tau=65535,
        payload="overwrite",
        factors="three",
        sign="excitatory",
        seed=seed,
    )
