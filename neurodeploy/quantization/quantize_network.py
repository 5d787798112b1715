"""`quantize`: the verb."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, NetworkError
from ..network import Network, Synapse
from ..network.canonical import hash_values
from ..network.fixed_point import DECAY_UNITY
from .balance import balance_thresholds
from .calibration import Calibration, fitting
from .compensate import compensate_rounding
from .config import QuantConfig
from .exact import exact_choice
from .float_form import as_float, is_rescalable
from .population_alone import PopulationAlone
from .rounding import BIAS, Rounding
from .scale_choice import Choice, Choices, Sites, sites_of
from .scales import choose_scale
from .weights_only import round_weights_only

CONFIG = "quantize/config"
"""Fact in `Network.metadata`: the configuration as JSON."""

STEPS = "quantize/steps/"
"""Starts the name of a fact: a population's choice (factor, steps, bias, balance) as JSON."""

CALIBRATION = "quantize/calibration"
"""Fact in `Network.metadata`: SHA-256 of the calibration inputs."""


def quantize(
    network: Network, config: QuantConfig | None = None, calibration: NDArray[Any] | None = None
) -> Network:
    """Round a network to the chip's integers.

    Each population has a scale by which its weights, bias and threshold are multiplied before
    they are rounded, and each projection into it a weight exponent of its own, so that the scale
    can be as fine as threshold and states allow whatever the weights are. Input factors of
    neurons are folded into the weights before. Decays become 12 bits. A bias of a current that
    lasts, which the chip's neurons do not have, becomes a neuron that spikes at every step. A
    weight beyond the range becomes two parallel synapses where that is worth it.

    Parameters
    ----------
    network : Network
        In float32, or in integers that are to have fewer bits. Of CUBA neurons in integers
        scales are chosen anew; networks with any others keep their neurons as they are, and their
        weights alone are rounded, see `weights_only.round_weights_only`.
    config : QuantConfig, optional
    calibration : array [samples, steps, *input shape] or [steps, *input shape], optional
        Inputs as the network will see them; no labels. They decide how far states go, how often
        each neuron spikes and, by `QuantConfig.method` ``search``, what differs least.

    Returns
    -------
    Network
        In integers; its audit says what each element lost. Facts in ``metadata``:
        ``quantize/scale/<name>``, a population's scale (its v / 64 / scale is the float network's
        v, see `PopulationRecord.in_trained_units`; of a network rounded for the second time it is
        of the floats that were given first); ``quantize/config``, the configuration as JSON;
        ``quantize/calibration``, SHA-256 of the inputs. The same network, configuration and inputs
        give the same bits.

    Raises
    ------
    NetworkError
        If the configuration names what there is not.
    UnsupportedError
        If an element has no counterpart on the chip.
    InputError
        If the calibration inputs do not fit, or the configuration needs some and there are none.

    Examples
    --------
    >>> fixed = nd.quantize(trained, nd.QuantConfig(weight_bits=6), calibration=x)  # doctest: +SKIP
    >>> fixed.is_float  # doctest: +SKIP
    False
    """
    config = config or QuantConfig()
    check(network, config, calibration is not None)
    if not network.is_float and not is_rescalable(network):
        inputs = None if calibration is None else fitting(network, calibration)
        made = round_weights_only(network, config, inputs)
        facts: dict[str, str | int | float] = {**made.metadata, CONFIG: config.to_json()}
        if inputs is not None:
            facts[CALIBRATION] = hash_values(inputs)
        return replace(made, metadata=facts)
    if not network.is_float:
        network = as_float(network)
    reference = None if calibration is None else Calibration.of(network, calibration)
    sites = sites_of(network, config, reference)
    compensate = config.rounding != "nearest"
    choices = choose_scales(network, sites, config, reference, compensate)
    return round_with(network, sites, choices, config, reference)


def round_with(
    network: Network,
    sites: Sites,
    choices: Choices,
    config: QuantConfig,
    reference: Calibration | None,
) -> Network:
    """Round as chosen, and note in the network how it was made."""
    rounding = Rounding(network, sites, choices)
    fixed = rounding.result()
    facts: dict[str, str | int | float] = {**fixed.metadata, CONFIG: config.to_json()}
    for name, choice in choices.items():
        facts[f"{STEPS}{name}"] = json.dumps(
            [choice.factor, choice.steps, choice.bias, choice.balance, rounding.parts[name]]
        )
    if reference is not None:
        facts[CALIBRATION] = reference.digest
    return replace(fixed, metadata=facts)


def choice_of(fixed: Network, name: str) -> Choice:
    """Read back what was chosen for a population, and the mantissas that its weights have."""
    factor, steps, *more = json.loads(str(fixed.metadata[f"{STEPS}{name}"]))
    choice = Choice(float(factor), tuple(steps), *(tuple(some) for some in more[:2]))
    feeds = [p.synapse for p in fixed.into(name) if p.source != f"{name}{BIAS}"]
    parts = more[2] if len(more) > 2 else []
    if sum(parts) != len(feeds):
        return choice  # written before mantissas were chosen, or changed since
    mantissas = []
    for number, step in zip(parts, steps, strict=True):
        held, feeds = feeds[:number], feeds[number:]
        whole = sum(_held(synapse, held[0]) for synapse in held)
        mantissas.append(whole >> step)
    return replace(choice, mantissas=tuple(mantissas))


def _held(synapse: Any, first: Synapse) -> NDArray[np.int64]:
    """Weights of a synapse in the form of the first of its parallel ones."""
    # The coarse part of a dense matrix is a list, see `weights.coarse_synapse`.
    listed = synapse.is_listed and not first.is_listed
    weight: NDArray[np.int64] = synapse.to_dense() if listed else synapse.only_array
    return weight.astype(np.int64)


def choose_scales(
    network: Network,
    sites: Sites,
    config: QuantConfig,
    reference: Calibration | None,
    compensate: bool = False,
) -> dict[str, Choice]:
    """Choose for every population, and correct biases, weights and thresholds as the user asks."""
    method = config.method
    if method == "auto":
        method = "mse" if reference is None else "search"
    if method == "search":
        from .search import search  # brings the engine

        assert reference is not None
        choices = search(network, sites, reference, config.passes)
    else:
        choices = {name: choose_scale(site, method) for name, site in sites.items()}
    if config.correct_bias:
        assert reference is not None
        choices = correct_biases(network, sites, choices, reference)
    if compensate and reference is not None:
        choices = compensate_rounding(network, sites, choices, reference)
    if config.balance != "none":
        assert reference is not None
        choices = balance_thresholds(network, sites, choices, reference, config.balance == "neuron")
    return choices


def correct_biases(
    network: Network, sites: Sites, choices: Choices, reference: Calibration
) -> dict[str, Choice]:
    """Give back to each voltage, as a bias, the mean current that rounding took from it.

    A constant current of 1 adds up to 4096 / d_u before it enters the voltage.
    """
    made = {}
    for name, site in sites.items():
        if exact_choice(site) is not None:
            made[name] = choices[name]
            continue
        lost = PopulationAlone(network, site, reference).mean_error(choices[name])
        gain = DECAY_UNITY / np.maximum(site.shape.current_decay, 1)
        made[name] = replace(choices[name], bias=tuple(map(float, lost * gain)))
    return made


def rounded_names(network: Network) -> list[str]:
    """Names of the populations whose weights `quantize` rounds."""
    if network.is_float:
        return [p.name for p in network.populations if p.neuron.is_float]
    return [
        p.name for p in network.populations if any(q.synapse.steps for q in network.into(p.name))
    ]


def check(network: Network, config: QuantConfig, calibrated: bool) -> None:
    """Refuse a configuration that names what there is not, or needs inputs that there are not."""
    names = rounded_names(network)
    for name, _ in config.population_bits:
        if name not in names:
            raise NetworkError(
                f"population_bits: no population {name!r} to round; there are {', '.join(names)}"
            )
    for what in () if calibrated else config.needing_inputs:
        raise InputError(f"{what}: needs calibration inputs; give some, labels are not needed")
