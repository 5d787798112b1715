"""ONNX files: what torch exports, and what `onnx.helper` makes."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import read
from neurodeploy.ann.calibration import forward
from neurodeploy.ann.units import units_of

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

from .random_networks import NAMES, ready  # noqa: E402


def exported(tmp_path, name):
    module, inputs = ready(name)
    path = tmp_path / f"{name}.onnx"
    torch.onnx.export(
        module, inputs[:1], str(path), dynamic_axes={"x": {0: "n"}}, input_names=["x"]
    )
    return module, inputs, path


# torch exports no adaptive pool whose windows differ
@pytest.mark.parametrize("name", [name for name in NAMES if name != "image"])
def test_units_compute_what_torch_does(tmp_path, name):
    module, inputs, path = exported(tmp_path, name)
    units = units_of(read(path), tuple(inputs.shape[1:]), False, False)
    *_, (_, _, found) = forward(units, inputs.double().numpy())
    with torch.no_grad():
        wanted = module.double()(inputs.double())
    if isinstance(list(module.children())[-1], torch.nn.Softmax):
        found = np.exp(found) / np.exp(found).sum(1, keepdims=True)
    assert np.allclose(found.reshape(wanted.shape), wanted.numpy(), atol=2e-4)


def test_a_file_converts_to_the_network_of_its_module(tmp_path):
    module, inputs, path = exported(tmp_path, "residual")
    inputs = inputs.numpy()
    a, b = (nd.convert_ann(what, inputs, measure=False) for what in (module, path))
    rows = inputs[:, None]
    first, second = (nd.run(net, rows, drain=True, record=("v",)) for net in (a, b))
    assert np.allclose(
        first[a.output.name].v[:, -1] / a.metadata[f"ann/scale/{a.output.name}"],
        second[b.output.name].v[:, -1] / b.metadata[f"ann/scale/{b.output.name}"],
        rtol=1e-2, atol=1e-2,
    )  # fmt: skip


def made(tmp_path, nodes, held=()):
    helper = onnx.helper
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, [None, 4])],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in held],
    )  # fmt: skip
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(graph), path)
    return path


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([("Tanh", ["x"], ["y"])], "body/tanh: tanh has no form .* Hardtanh"),
        ([("Mul", ["x", "x"], ["y"])], "body/mul: product of two activations .* gates"),
        ([("MatMul", ["x", "x"], ["y"])], "body/matmul: product of two activations"),
        ([("Whatever", ["x"], ["y"])], "body/whatever: Whatever has no form"),
    ],
)
def test_refused_by_name(tmp_path, nodes, words):
    path = made(
        tmp_path,
        [onnx.helper.make_node(k, i, o, name=f"/body/{k.lower()}") for k, i, o in nodes],
    )
    with pytest.raises(nd.NeurodeployError, match=words):
        read(path)


def test_a_linear_layer_of_matmul_and_add(tmp_path):
    node = onnx.helper.make_node
    weight = np.arange(8.0).reshape(4, 2) - 3
    path = made(
        tmp_path,
        [node("MatMul", ["x", "w"], ["a"], name="m"), node("Add", ["a", "b"], ["y"], name="s")],
        [("w", weight), ("b", [1.0, -1.0])],
    )
    *_, (_, _, found) = forward(units_of(read(path), (4,), False, False), np.eye(4))
    assert np.allclose(found, weight + np.array([1, -1]))


def test_no_onnx_and_weights_elsewhere_are_refused(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"\x00no protobuf")
    with pytest.raises(nd.NeurodeployError, match=r"a\.onnx: not a readable ONNX file"):
        read(path)
    with pytest.raises(nd.NeurodeployError, match=r"b\.onnx: no such file"):
        read(tmp_path / "b.onnx")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="m")
    path = made(tmp_path, [node], [("w", np.ones((4, 2)))])
    model = onnx.load(path)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    with pytest.raises(nd.NeurodeployError, match="w lies in another file"):
        read(path)
