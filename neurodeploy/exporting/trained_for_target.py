"""A network trained further with the neurons and the integers that a target has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, InputError
from ..inputs import as_samples
from ..network import Network
from ..quantization import QuantConfig
from ..recording.run_options import Progress
from .measured_steps import Example

FINE_TUNE = "fine-tune"

EPOCHS = 20
LEARNING_RATE = 0.02
BATCH = 8
"""Of the training: a network that is trained already, on few calibration inputs."""


def resets_to_zero(network: Network, factors: Mapping[str, NDArray[np.float64]]) -> Network:
    """Give a float network in which a reset by subtraction is the one to 0 that chips have.

    Parameters
    ----------
    network : Network
    factors : dict of str to float64 [neurons]
        Of the thresholds of those populations.
    """
    made = []
    for population in network.populations:
        neuron: Any = population.neuron
        if population.name in factors:
            threshold = (neuron.threshold * factors[population.name]).astype(np.float32)
            neuron = replace(
                neuron, reset="value", reset_value=0.0, reset_time="before", threshold=threshold
            )
        made.append(replace(population, neuron=neuron))
    return replace(network, populations=tuple(made))


def trained_for_target(
    floats: Network,
    factors: Mapping[str, NDArray[np.float64]],
    config: QuantConfig,
    calibration: Any,
    example: Example,
    epochs: int,
    progress: Progress | None,
) -> tuple[Network, str]:
    """Train with the target's resets and integers in every forward pass.

    On the calibration inputs, the given network teaches; where there are none but the example's,
    its labels do, if it has some.

    Parameters
    ----------
    floats : Network
    factors : dict of str to float64 [neurons]
        Of the thresholds of populations that are to reset to 0, see `resets_to_zero`.
    config : QuantConfig
    calibration : array [samples, steps, *shape] or None
    example : Example
    epochs : int
    progress : callable or None

    Returns
    -------
    network : Network
        In integers.
    says : str
        What was done.

    Raises
    ------
    BackendError
        Without torch.
    UnsupportedError
        If an element cannot be trained.
    """
    try:
        from ..training import fine_tune
    except ImportError as error:
        raise BackendError(
            f"fine-tune: needs torch ({error}); 'neurodeploy doctor --add lava-dl' brings it"
        ) from None
    inputs: NDArray[Any] = example.inputs
    labels: NDArray[np.integer[Any]] | None = example.labels
    if calibration is not None and calibration is not example.inputs:
        inputs, labels = as_samples(floats, calibration), None
    if not len(inputs):
        raise InputError("fine-tune: no samples to train on; give calibration inputs")

    def tell(epoch: int, epochs: int, loss: float) -> None:
        if progress is not None:
            progress(epoch, epochs)

    tuned = fine_tune(
        resets_to_zero(floats, factors), config, inputs, labels, teacher=floats, epochs=epochs,
        learning_rate=LEARNING_RATE, batch=BATCH, progress=tell,
    )  # fmt: skip
    taught = "its own messages" if labels is None else "the labels"
    says = f"trained further in the target's {config.bits}-bit integers, {len(tuned.losses)} epochs"
    if factors:
        says += f", with {', '.join(map(repr, factors))} reset to 0"
    says += f", taught by {taught} on {len(inputs)} samples"
    return tuned.network, says
