"""Keras' HDF5 files: read without TensorFlow, channels last brought first."""

from __future__ import annotations

import gzip
import json

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import read
from neurodeploy.ann.calibration import forward
from neurodeploy.ann.units import units_of

torch = pytest.importorskip("torch")
F = torch.nn.functional


def layer(kind, name, inputs=(), **config):
    inbound = [[[before, 0, 0, {}] for before in inputs]] if inputs else []
    return {
        "class_name": kind, "name": name, "config": {"name": name, **config},
        "inbound_nodes": inbound,
    }  # fmt: skip


def write(path, layers, weights, sequential=False, outputs=None):
    config = {"layers": layers}
    if not sequential:
        config["output_layers"] = [[outputs or layers[-1]["name"], 0, 0]]
    with h5py.File(path, "w") as file:
        described = {"class_name": "Sequential" if sequential else "Model", "config": config}
        file.attrs["model_config"] = json.dumps(described)
        group = file.create_group("model_weights")
        for name, arrays in weights.items():
            for key, array in arrays.items():
                group[f"{name}/{name}/{key}:0"] = np.asarray(array, np.float32)
    return path


def read_through(path, inputs):
    """Output of the units for inputs [samples, C, H, W] or [samples, features]."""
    units = units_of(read(path), inputs.shape[1:], False, False)
    *_, (_, _, found) = forward(units, inputs)
    return found.reshape(len(inputs), -1)


@pytest.fixture
def random():
    return np.random.default_rng(5)


def image_layers():
    return [
        layer("InputLayer", "in", batch_input_shape=[None, 9, 8, 2]),
        layer("Conv2D", "c", ["in"], strides=[2, 2], padding="same", activation="relu",
              dilation_rate=[1, 1]),
        layer("BatchNormalization", "bn", ["c"], epsilon=1e-3),
        layer("DepthwiseConv2D", "d", ["bn"], strides=[1, 1], padding="same", activation="linear"),
        layer("Add", "sum", ["d", "bn"]),
        layer("ReLU", "r", ["sum"], max_value=None, negative_slope=0.0, threshold=0.0),
        layer("AveragePooling2D", "p", ["r"], pool_size=[2, 2], strides=[2, 2], padding="same"),
        layer("Dropout", "drop", ["p"], rate=0.5),
        layer("Flatten", "f", ["drop"]),
        layer("Dense", "out", ["f"], activation="softmax"),
    ]  # fmt: skip


def image_weights(random):
    normal = random.normal
    return {
        "c": {"kernel": normal(size=(3, 4, 2, 5)), "bias": normal(size=5)},
        "bn": {"gamma": random.random(5) + 0.5, "beta": normal(size=5),
               "moving_mean": normal(size=5), "moving_variance": random.random(5) + 0.2},
        "d": {"depthwise_kernel": normal(size=(2, 3, 5, 1)), "bias": normal(size=5)},
        "out": {"kernel": normal(size=(3 * 2 * 5, 4)), "bias": normal(size=4)},
    }  # fmt: skip


def test_a_functional_model_computes_what_keras_does(tmp_path, random):
    weights = {
        n: {k: np.float32(a) for k, a in w.items()} for n, w in image_weights(random).items()
    }
    path = write(tmp_path / "a.h5", image_layers(), weights)
    inputs = random.random((6, 2, 9, 8))
    t = {n: {k: torch.tensor(a).double() for k, a in w.items()} for n, w in weights.items()}
    x = torch.tensor(inputs)
    # Keras' "same": 9 rows, stride 2, kernel 3: one zero above and below; 8 columns, stride 2,
    # kernel 4: one at either side.
    x = F.pad(x, (1, 1, 1, 1))
    x = F.relu(F.conv2d(x, t["c"]["kernel"].permute(3, 2, 0, 1), t["c"]["bias"], 2))
    bn = t["bn"]
    x = F.batch_norm(x, bn["moving_mean"], bn["moving_variance"], bn["gamma"], bn["beta"], eps=1e-3)
    # kernel 2 x 3, stride 1: the odd row of zeros at the end.
    kernel = t["d"]["depthwise_kernel"].permute(2, 3, 0, 1)
    deep = F.conv2d(F.pad(x, (1, 1, 0, 1)), kernel, t["d"]["bias"], groups=5)
    x = F.avg_pool2d(F.relu(deep + x), 2, ceil_mode=True)  # 5 rows: one at the end, not counted
    row = x.permute(0, 2, 3, 1).flatten(1)  # Keras flattens with channels last
    wanted = row @ t["out"]["kernel"] + t["out"]["bias"]
    assert np.allclose(read_through(path, inputs), wanted.numpy(), atol=1e-4)


def test_a_sequential_model_without_an_input_layer(tmp_path, random):
    layers = [
        layer("Dense", "a", batch_input_shape=[None, 6], activation="relu"),
        layer("LeakyReLU", "l", alpha=0.1),
        layer("Dense", "b", activation="linear"),
    ]
    weights = {"a": {"kernel": random.normal(size=(6, 5)), "bias": random.normal(size=5)},
               "b": {"kernel": random.normal(size=(5, 3))}}  # fmt: skip
    path = write(tmp_path / "a.h5", layers, weights, sequential=True)
    inputs = random.random((4, 6))
    hidden = np.maximum(inputs @ weights["a"]["kernel"] + weights["a"]["bias"], 0)
    assert np.allclose(read_through(path, inputs), hidden @ weights["b"]["kernel"], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("Activation", {"activation": "tanh"}, "x: tanh has no form .* Hardtanh"),
        ("LSTM", {}, "x: recurrent cell .* nd.load"),
        ("LayerNormalization", {}, "x: layer norm .* BatchNorm"),
        ("Lambda", {}, "x: Lambda has no form"),
    ],
)
def test_a_layer_without_a_form_is_refused_by_name(tmp_path, kind, config, words):
    layers = [layer("InputLayer", "in", batch_input_shape=[None, 6])]
    path = write(tmp_path / "a.h5", [*layers, layer(kind, "x", ["in"], **config)], {})
    with pytest.raises(nd.NeurodeployError, match=words):
        read(path)


def test_softmax_inside_is_refused(tmp_path, random):
    layers = [
        layer("InputLayer", "in", batch_input_shape=[None, 6]),
        layer("Dense", "a", ["in"], activation="softmax"),
        layer("Dense", "b", ["a"], activation="linear"),
    ]
    kernel = {"kernel": random.normal(size=(6, 6))}
    path = write(tmp_path / "a.h5", layers, {"a": kernel, "b": kernel})
    with pytest.raises(nd.NeurodeployError, match=r"a.softmax: softmax stands before b; .* end"):
        nd.convert_ann(path, np.ones((3, 6)))


def test_files_that_hold_less_are_refused_by_name(tmp_path, random):
    path = write(tmp_path / "a.h5", image_layers(), {})
    with pytest.raises(nd.NeurodeployError, match=r"a\.h5: no weights of layer 'c'"):
        read(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{"
    with pytest.raises(nd.NeurodeployError, match=r"a\.h5: its model_config is none of Keras'"):
        read(path)
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
    with pytest.raises(nd.NeurodeployError, match=r"a\.h5: holds no whole Keras model"):
        read(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(nd.NeurodeployError, match=r"a\.h5: not an HDF5 file"):
        read(path)


def test_calibration_with_channels_last_is_refused(tmp_path, random):
    path = write(tmp_path / "a.h5", image_layers(), image_weights(random))
    with pytest.raises(nd.NeurodeployError, match=r"\(9, 8, 2\), .* takes \(2, 9, 8\)"):
        nd.convert_ann(path, random.random((3, 9, 8, 2)))


@pytest.fixture(scope="module")
def mnist(cases):
    folder = cases / "systems" / "mnist"
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255
    return pixels[:1500], np.frombuffer(labels, np.uint8, offset=8)[:1500].astype(int)


def test_intels_mnist_network_keeps_its_accuracy(cases, mnist):
    images, labels = mnist
    path = cases / "systems" / "keras_dnn" / "a_minist_model.h5"
    given, shown, wanted = images[:200], images[500:], labels[500:]
    decided = read_through(path, shown).argmax(axis=1)
    net = nd.convert_ann(path, given, measure=False)
    rec = nd.run(net, shown[:, None], drain=True, record=("v",))
    accuracy = float((decided == wanted).mean())
    assert accuracy > 0.97
    assert abs(rec.accuracy(wanted) - accuracy) <= 0.005
    assert (rec.decisions() == decided).mean() > 0.99


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("ZeroPadding2D", {"padding": [[1 << 40, 0], [0, 0]]}),
        ("AveragePooling2D", {"pool_size": [1 << 20, 1 << 20], "padding": "same"}),
        ("MaxPooling2D", {"pool_size": [1 << 20, 1 << 20], "padding": "same"}),
    ],
)
def test_a_file_that_asks_for_huge_images_is_refused_before_any_is_made(tmp_path, kind, config):
    layers = [
        layer("InputLayer", "in", batch_input_shape=[None, 9, 8, 2]),
        layer(kind, "x", ["in"], **config),
    ]
    path = write(tmp_path / "a.h5", layers, {})
    with pytest.raises(nd.NeurodeployError, match=r"^x: \w+ makes [\d,]+ numbers"):
        nd.convert_ann(path, np.ones((3, 2, 9, 8)))
