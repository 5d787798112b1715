from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodeploy.demo import digits
from neurodeploy.errors import BackendError, FormatError, InputError

EXPORTS = Path(__file__).resolve().parents[2] / "netx_exports"


def missing(*modules: str) -> list[str]:
    return [name for name in modules if importlib.util.find_spec(name) is None]


LACKING = missing("torch", "sklearn", "lava")
needs_training = pytest.mark.skipif(
    bool(LACKING), reason=f"training needs the extras lava and demo; not installed: {LACKING}"
)


def run_integers(path: Path, spikes: NDArray[Any]) -> list[NDArray[Any]]:
    """Spikes of every layer by the chip's integer equations; knows nothing of our engine.

    reference/lava.md section 3: u and v keep (4096 - decay)/4096 rounded towards zero, the
    threshold is strict and stands 6 bits up, and spikes arrive one step after they were sent.
    """

    def decayed(state: NDArray[Any], decay: int) -> NDArray[Any]:
        product = state * (4096 - decay)
        rounded: NDArray[Any] = np.sign(product) * (np.abs(product) >> 12)
        return rounded

    layers = []
    with h5py.File(path) as file:
        for index in sorted(file["layer"], key=int):
            layer = file["layer"][index]
            weight = layer["weight"][()].astype(np.int64)
            assert np.array_equal(weight, layer["weight"][()]), "weights are integers"
            current_decay = int(layer["neuron/iDecay"][()])
            voltage_decay = int(layer["neuron/vDecay"][()])
            threshold = int(layer["neuron/vThMant"][()]) << 6
            u = v = np.zeros((len(spikes), len(weight)), dtype=np.int64)
            sent = np.zeros((len(spikes), spikes.shape[1], len(weight)), dtype=np.uint8)
            for step in range(spikes.shape[1] - 1):
                u = decayed(u, current_decay) + ((spikes[:, step].astype(np.int64) @ weight.T) << 6)
                v = decayed(v, voltage_decay) + u
                sent[:, step + 1] = v > threshold
                v = np.where(v > threshold, 0, v)
            layers.append(sent)
            spikes = sent
    return layers


grey_levels = st.lists(
    st.floats(min_value=0, max_value=digits.BRIGHTEST),
    min_size=digits.PIXELS,
    max_size=digits.PIXELS,
)


@settings(deadline=None, max_examples=50)
@given(grey_levels, st.integers(min_value=1, max_value=64))
def test_encoding_is_binary_and_the_same_every_time(levels: list[float], steps: int) -> None:
    spikes = digits.encode([levels], steps)
    assert spikes.shape == (1, steps, digits.PIXELS)
    assert spikes.dtype == np.uint8
    assert spikes.max() <= 1
    np.testing.assert_array_equal(spikes, digits.encode(np.array([levels]), steps))


def test_each_pixel_spikes_at_its_own_regular_interval() -> None:
    levels = np.zeros((1, digits.PIXELS))
    levels[0, :5] = [0, 1, 4, 8, 16]
    trains = digits.encode(levels, 32)[0, :, :5].T
    assert [list(np.flatnonzero(train)) for train in trains] == [
        [],
        [15],
        [3, 11, 19, 27],
        [1, 5, 9, 13, 17, 21, 25, 29],
        list(range(0, 32, 2)),
    ]


@pytest.mark.parametrize(
    ("images", "steps", "complaint"),
    [
        (np.zeros((2, 8, 8)), 16, r"shape \[2, 8, 8\].*\[n, 64\]"),
        (np.full((1, 64), 255.0), 16, r"255.*0\.\.16"),
        (np.full((1, 64), -1.0), 16, r"-1"),
        (np.full((1, 64), np.nan), 16, r"nan"),
        (np.zeros((1, 64)), 0, r"0 time steps"),
    ],
)
def test_images_that_cannot_be_encoded_are_refused(
    images: NDArray[Any], steps: int, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        digits.encode(images, steps)


def test_the_smallest_digit_wins_a_draw() -> None:
    output = np.zeros((2, 3, 10), dtype=np.uint8)
    output[0, 0, [7, 4]] = 1
    output[1, :2, 9] = 1
    output[1, 0, 2] = 1
    np.testing.assert_array_equal(digits.decide(output), [4, 9])


def test_importing_the_module_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, neurodeploy.demo.digits; print({'torch', 'sklearn', 'lava'} & {*sys.modules})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "set()"


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(BackendError, match=r"sklearn\.datasets.*\.\[demo\]"):
        digits.load_split()


def test_committed_network_scores_what_its_card_says() -> None:
    card = (EXPORTS / "digits.md").read_text(encoding="utf-8")
    said = re.search(r"\| test accuracy \| (\d+) of (\d+) images", card)
    sha256 = re.search(r"\| sha256 of digits\.net \| `([0-9a-f]{64})`", card)
    assert said is not None
    assert sha256 is not None
    assert hashlib.sha256((EXPORTS / "digits.net").read_bytes()).hexdigest() == sha256[1]

    with np.load(EXPORTS / "digits_test.npz") as data:
        inputs, labels = data["inputs"], data["labels"]
    output = run_integers(EXPORTS / "digits.net", inputs)[-1]
    correct = int(np.sum(output.sum(axis=1).argmax(axis=1) == labels))
    assert (correct, len(labels)) == (int(said[1]), int(said[2]))
    assert correct / len(labels) >= 0.95


@pytest.mark.skipif(bool(missing("sklearn")), reason="the digits come with the extra demo")
class TestSplit:
    def test_committed_test_spikes_are_the_encoded_test_split(self) -> None:
        split = digits.load_split()
        with np.load(EXPORTS / "digits_test.npz") as data:
            np.testing.assert_array_equal(data["inputs"], digits.encode(split.test_images))
            np.testing.assert_array_equal(data["labels"], split.test_labels)

    def test_folds_are_stratified_and_cover_every_image_once(self) -> None:
        folds = [digits.load_split(fold) for fold in range(5)]
        assert [len(fold.test_labels) for fold in folds] == [360, 360, 359, 359, 359]
        assert {len(fold.train_labels) + len(fold.test_labels) for fold in folds} == {1797}
        per_digit = np.array([np.bincount(fold.test_labels) for fold in folds])
        assert np.ptp(per_digit, axis=0).max() <= 1
        np.testing.assert_array_equal(
            per_digit[0] + np.bincount(folds[0].train_labels), per_digit.sum(axis=0)
        )

    def test_a_sixth_fold_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"fold 5.*0\.\.4"):
            digits.load_split(5)


Training: TypeAlias = "tuple[digits.Trained, list[tuple[int, int, float, float]]]"


@pytest.fixture(scope="module")
def training() -> Training:
    """One training with the default settings (15 s), shared by the tests below."""
    reports: list[tuple[int, int, float, float]] = []
    trained = digits.train(lambda *report: reports.append(report))
    return trained, reports


@pytest.mark.slow
@needs_training
class TestTraining:
    def test_default_settings_reach_95_percent(self, training: Training) -> None:
        assert training[0].accuracy >= 0.95

    def test_progress_is_reported_once_per_epoch(self, training: Training) -> None:
        reports = training[1]
        assert [report[:2] for report in reports] == [
            (epoch, digits.EPOCHS) for epoch in range(1, digits.EPOCHS + 1)
        ]
        assert reports[-1][2] < reports[0][2], "the loss falls"
        assert reports[-1][3] > 0.95

    def test_exported_integers_spike_exactly_as_slayer_does(
        self, training: Training, tmp_path: Path
    ) -> None:
        module = training[0].module
        digits.export_netx(module, tmp_path / "digits.net")
        split = digits.load_split()
        inputs = digits.encode(split.test_images)
        slayer = digits.layer_spikes(module, inputs)
        integers = run_integers(tmp_path / "digits.net", inputs)
        for ours, theirs in zip(integers, slayer, strict=True):
            assert theirs.any()
            np.testing.assert_array_equal(ours, theirs)
        assert np.mean(digits.decide(integers[-1]) == split.test_labels) == training[0].accuracy

    def test_float_weights_round_to_the_exported_integers(
        self, training: Training, tmp_path: Path
    ) -> None:
        trained = training[0]
        digits.export_netx(trained.module, tmp_path / "digits.net")
        assert list(trained.float_weights) == ["0_dense", "1_dense"]
        with h5py.File(tmp_path / "digits.net") as file:
            for i, floats in enumerate(trained.float_weights.values()):
                assert floats.dtype == np.float32
                integers = file[f"layer/{i}/weight"][()]
                np.testing.assert_array_equal(integers, np.clip(2 * np.rint(floats / 2), -256, 254))
                assert np.any(integers != floats)

    def test_same_seed_gives_the_same_weights_and_leaves_torch_alone(self) -> None:
        import torch

        torch.manual_seed(7)
        expected = torch.rand(3)
        torch.manual_seed(7)
        threads = torch.get_num_threads()
        whole = digits.load_split()
        few = digits.Split(
            whole.train_images[::8],
            whole.train_labels[::8],
            whole.test_images[::8],
            whole.test_labels[::8],
        )
        first, second = (digits.train(seed=3, epochs=2, split=few) for _ in range(2))
        assert torch.equal(torch.rand(3), expected)
        assert torch.get_num_threads() == threads
        for name, weight in first.float_weights.items():
            np.testing.assert_array_equal(weight, second.float_weights[name])
        other = digits.train(seed=4, epochs=2, split=few)
        assert np.any(other.float_weights["0_dense"] != first.float_weights["0_dense"])

    def test_an_untrained_module_can_be_exported(self, tmp_path: Path) -> None:
        import torch

        cuba = digits._slayer().block.cuba
        neuron = {"threshold": 1.0, "current_decay": 0.5, "voltage_decay": 0.1}
        module = torch.nn.Sequential(cuba.Dense(neuron, 64, 10))
        digits.export_netx(module, tmp_path / "fresh.net")
        with h5py.File(tmp_path / "fresh.net") as file:
            assert list(file["layer/0/shape"]) == [10]

    def test_export_into_a_missing_folder_is_refused(
        self, training: Training, tmp_path: Path
    ) -> None:
        with pytest.raises(FormatError, match="cannot write"):
            digits.export_netx(training[0].module, tmp_path / "nowhere" / "digits.net")

    @pytest.mark.slow  # a fresh interpreter imports torch and SLAYER: 10 s
    def test_nothing_is_printed(self) -> None:
        code = "from neurodeploy.demo import digits; digits.train(epochs=1)"
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
        )
        assert (answer.stdout, answer.stderr) == ("", "")
