"""The network that the demo trains: handwritten digits, 64-128-10, with SLAYER.

Importing this module needs NumPy alone. `load_split` needs scikit-learn,
`train` lava-dl as well; both are imported when they are first called.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BackendError, InputError, how_to_add
from ..files import written_whole
from ..formats.slayer.importing import quiet
from ..hdf5 import written_hdf5
from ..recording import decide as decide_from_sums

PIXELS = 64
"""8 x 8 grey levels, row by row."""

BRIGHTEST = 16
"""Grey levels run from 0 to 16 (each counts the ink in a 4 x 4 block)."""

CLASSES = 10

STEPS = 16
"""Time steps per image. Lava's simulator takes 1.5 ms for each, so there are few."""

EPOCHS = 20

HIDDEN = 128

_FOLDS = 5
_CHARGE = 256  # a pixel spikes whenever it has gathered this much ...
_CHARGE_PER_LEVEL = 8  # ... so that the brightest one spikes in every second step

_NEURON = {
    "threshold": 1.0,
    "current_decay": 0.25,
    "voltage_decay": 0.05,
    "tau_grad": 0.03,
    "scale_grad": 1.0,
}
_BATCH = 64
_LEARNING_RATE = 0.02
_LOGITS_PER_SPIKE = 0.5  # softer than 1: a lead of one spike is not yet certainty
_SPIKE_PRICE = 0.1  # on the hidden layer's firing rate: a fifth of the spikes, same accuracy

Progress: TypeAlias = Callable[[int, int, float, float], None]
"""Called after each epoch with (epoch from 1, epochs, mean loss, training accuracy 0..1)."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images to train on and images to test with.

    Attributes
    ----------
    train_images, test_images : float64 [n, 64]
        Grey levels 0..16.
    train_labels, test_labels : int64 [n]
        Digits 0..9.
    """

    train_images: NDArray[np.float64]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float64]
    test_labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trained:
    """What `train` gives back.

    Attributes
    ----------
    module : torch.nn.Sequential
        Two ``slayer.block.cuba.Dense`` blocks, in evaluation mode.
    float_weights : dict of str to float32 [out, in]
        Weights before quantization, in units of the integer weights (64 w),
        by population: ``0_dense``, ``1_dense``. SLAYER computes with these
        rounded to even integers and clipped to [-256, 254].
    accuracy : float
        Fraction of the split's test images recognised by SLAYER's CPU forward pass.
    """

    module: Any
    float_weights: dict[str, NDArray[np.float32]]
    accuracy: float


def encode(images: ArrayLike, steps: int = STEPS) -> NDArray[np.uint8]:
    """Turn grey levels into spikes at regular intervals; nothing is drawn at random.

    Each pixel is an integrator without leak. It starts half full, gains
    ``level / 32`` of a spike per step and spikes whenever it is full, so that
    level 16 spikes in every second step, level 8 in every fourth. Starting half
    full lets a pixel of level 1 spike within 16 steps, and spreads the levels'
    first spikes over time. Computed in integers: the same on every machine.

    Parameters
    ----------
    images : float [n, 64]
        Grey levels in 0..16; rounded to eighths.
    steps : int, optional
        Length of the spike trains, at least 1.

    Returns
    -------
    uint8 [n, steps, 64]
        0 or 1.

    Raises
    ------
    InputError
        If the array is not [n, 64], or a level lies outside 0..16 or is not a number.
    """
    levels = np.asarray(images, dtype=np.float64)
    if levels.ndim != 2 or levels.shape[1] != PIXELS:
        raise InputError(
            f"digits: images of shape {list(levels.shape)}; reshape them to [n, {PIXELS}]"
        )
    if not np.all((levels >= 0) & (levels <= BRIGHTEST)):
        raise InputError(
            f"digits: grey levels from {levels.min():g} to {levels.max():g}; "
            f"scale them to 0..{BRIGHTEST}"
        )
    if steps < 1:
        raise InputError(f"digits: {steps} time steps; ask for at least 1")
    charge = np.rint(levels * _CHARGE_PER_LEVEL).astype(np.int64)[:, None, :]
    clock = np.arange(steps + 1)[None, :, None]
    spikes_so_far = (clock * charge + _CHARGE // 2) // _CHARGE
    return np.diff(spikes_so_far, axis=1).astype(np.uint8)


def decide(output: NDArray[Any]) -> NDArray[np.int64]:
    """Digit whose output neuron spiked most; of several, the smallest.

    Parameters
    ----------
    output : integer or float [samples, steps, 10]
        Spikes of the output population, over all steps of the chip clock.

    Returns
    -------
    int64 [samples]
    """
    return decide_from_sums(output.sum(axis=1))[0]


def load_split(fold: int = 0) -> Split:
    """Split scikit-learn's 1,797 digits: every fifth image of each digit is for testing.

    The images are sorted by digit (keeping their order) and dealt out in turn,
    so the five folds are stratified, and are the same whatever the versions of
    NumPy and scikit-learn. Both sides hold images by the same writers.

    Parameters
    ----------
    fold : int, optional
        Which of the five to test with, 0..4. Fold 0 (the default) and 1 have 360
        images, the others 359.

    Returns
    -------
    Split

    Raises
    ------
    BackendError
        If scikit-learn is not installed.
    """
    if not 0 <= fold < _FOLDS:
        raise InputError(f"digits: fold {fold}; choose one of 0..{_FOLDS - 1}")
    datasets = _imported("sklearn.datasets", how_to_add("demo"))
    images, labels = datasets.load_digits(return_X_y=True)
    order = np.argsort(labels, kind="stable")
    tested = np.arange(len(order)) % _FOLDS == fold
    train, test = order[~tested], order[tested]
    labels = labels.astype(np.int64)
    return Split(images[train], labels[train], images[test], labels[test])


def train(
    progress: Progress | None = None,
    seed: int = 0,
    *,
    epochs: int = EPOCHS,
    split: Split | None = None,
) -> Trained:
    """Train 64-128-10 CUBA neurons with SLAYER, weights quantized in every forward pass.

    Cross entropy on the output's spike counts, Adam on a one-cycle schedule,
    and a small price on hidden spikes.

    Parameters
    ----------
    progress : callable, optional
        See `Progress`.
    seed : int, optional
        Decides initial weights and the order of the images. Training uses one
        thread, so the same seed gives the same weights on the same machine
        with the same versions of torch and NumPy. Another torch build or
        processor may sum floats in another order and end a few images away.
    epochs : int, optional
    split : Split, optional
        ``load_split()`` unless given.

    Returns
    -------
    Trained

    Raises
    ------
    BackendError
        If lava-dl or scikit-learn is not installed.
    """
    torch, slayer = _imported("torch"), _slayer()
    split = load_split() if split is None else split
    with _own_corner(torch, seed):
        module = _build(torch, slayer)
        inputs = _as_tensor(torch, encode(split.train_images))
        labels = torch.from_numpy(split.train_labels)
        _optimise(torch, module, inputs, labels, epochs, progress)
    module.eval()
    output = layer_spikes(module, encode(split.test_images))[-1]
    return Trained(
        module=module,
        float_weights={
            f"{i}_dense": _float_weight(block) for i, block in enumerate(module.children())
        },
        accuracy=float(np.mean(decide(output) == split.test_labels)),
    )


def layer_spikes(module: Any, inputs: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Spikes of every layer in SLAYER's CPU forward pass.

    SLAYER delays each block's output by one step, as the chip does, so step t
    here is step t of the chip clock.

    Parameters
    ----------
    module : torch.nn.Sequential of SLAYER blocks
    inputs : uint8 [samples, steps, 64]

    Returns
    -------
    list of uint8 [samples, steps, neurons]
        One array per block.
    """
    torch = _imported("torch")
    layers = []
    with torch.no_grad():
        x = _as_tensor(torch, inputs)
        for block in module.children():
            x = block(x)
            layers.append(x.transpose(1, 2).numpy().astype(np.uint8))
    return layers


def export_netx(module: Any, path: str | os.PathLike[str]) -> None:
    """Write a sequence of SLAYER blocks as a NetX file, by each block's own exporter.

    Parameters
    ----------
    module : torch.nn.Sequential of SLAYER blocks
    path : path
        Replaced if it exists.

    Raises
    ------
    FormatError
        If nothing can be written at `path`.
    """
    blocks = list(module.children())
    if any(block.shape is None for block in blocks):
        # A block learns its shape in its first forward pass and cannot be exported before.
        layer_spikes(module, np.zeros((1, 1, blocks[0].synapse.in_channels), np.uint8))
    with written_whole(path) as temporary, written_hdf5(temporary) as file:
        for i, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{i}"))


def _build(torch: Any, slayer: Any) -> Any:
    dense = slayer.block.cuba.Dense
    return torch.nn.Sequential(dense(_NEURON, PIXELS, HIDDEN), dense(_NEURON, HIDDEN, CLASSES))


def _optimise(
    torch: Any, module: Any, inputs: Any, labels: Any, epochs: int, progress: Progress | None
) -> None:
    hidden_block, output_block = module.children()
    steps_per_epoch = -(-len(labels) // _BATCH)
    optimiser = torch.optim.Adam(module.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _LEARNING_RATE, total_steps=epochs * steps_per_epoch, pct_start=0.2
    )
    module.train()
    for epoch in range(1, epochs + 1):
        total_loss, correct = 0.0, 0
        for batch in torch.randperm(len(labels)).split(_BATCH):
            hidden = hidden_block(inputs[batch])
            counts = output_block(hidden).sum(dim=-1)
            loss = torch.nn.functional.cross_entropy(_LOGITS_PER_SPIKE * counts, labels[batch])
            optimiser.zero_grad()
            (loss + _SPIKE_PRICE * hidden.mean()).backward()
            optimiser.step()
            schedule.step()
            total_loss += loss.item() * len(batch)
            correct += int((counts.argmax(dim=1) == labels[batch]).sum())
        if progress is not None:
            progress(epoch, epochs, total_loss / len(labels), correct / len(labels))


@contextlib.contextmanager
def _own_corner(torch: Any, seed: int) -> Iterator[None]:
    """Seed torch and use one thread, and put both back as they were.

    A second thread gains nothing on matrices this small, and one thread sums
    floats in the same order whatever the number of cores.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _as_tensor(torch: Any, spikes: NDArray[np.uint8]) -> Any:
    """[samples, steps, neurons] -> SLAYER's [samples, neurons, steps]."""
    return torch.from_numpy(spikes.transpose(0, 2, 1).astype(np.float32))


def _float_weight(block: Any) -> NDArray[np.float32]:
    weight: NDArray[np.float32] = block.synapse.weight.detach().numpy().astype(np.float32)
    return weight.reshape(weight.shape[:2]) * np.float32(block.neuron.w_scale)


def _slayer() -> Any:
    """SLAYER, imported without the advice that it prints about a camera toolbox and CUDA."""
    _imported("torch")  # outside the block: torch keeps the stderr it is born with
    with quiet():
        return _imported("lava.lib.dl.slayer")


def _imported(name: str, brought_by: str = "neurodeploy doctor --add lava-dl") -> Any:
    """Import an optional package, or say what brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            f"digits: {name} is not installed ({error}); {brought_by}, or use the network that is "
            f"trained already"
        ) from error
