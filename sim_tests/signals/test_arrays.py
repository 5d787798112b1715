"""Inputs are taken as they are or refused; nothing is wrapped, clipped or guessed."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, InputWarning
from neurodeploy.inputs import arrays, as_samples, draining_steps, order_axes, read_inputs
from neurodeploy.inputs import present as presented
from neurodeploy.inputs.arrays import TIME_FIRST
from neurodeploy.network import (
    Conv,
    CubaLIF,
    Delta,
    Dense,
    InputTransform,
    Network,
    Population,
    Projection,
    Source,
)


def network_with(neuron, shape=(2, 3, 4), transform=None):
    return Network((Population("input", shape, neuron, transform=transform),), ())


SPIKING = network_with(Source())


def present(*arguments, **options):
    return presented(*arguments, **options)[:]


def test_one_sample_or_many():
    sample = np.ones((5, 2, 3, 4), int)
    assert present(SPIKING, sample).shape == (1, 5, 2, 3, 4)
    assert present(SPIKING, sample[None].repeat(3, 0)).shape == (3, 5, 2, 3, 4)
    assert present(SPIKING, sample).dtype == np.int32


def test_axes_of_length_one_may_be_left_out():
    network = network_with(Source(), (1, 1, 6))
    assert present(network, np.ones((5, 6), bool)).shape == (1, 5, 1, 1, 6)
    assert present(network, np.ones((2, 5, 6), bool)).shape == (2, 5, 1, 1, 6)


@pytest.mark.parametrize("shape", [(5, 2, 4, 3), (2, 3, 4), (5, 24), (0, 2, 3, 4), (2,)])
def test_a_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(InputError, match="shape"):
        present(SPIKING, np.zeros(shape, int))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.full((1, 2, 3, 4), -1), "value -1 is outside 0"),
        (np.full((1, 2, 3, 4), 1 << 23), "outside 0..8388607"),
        (np.full((1, 2, 3, 4), 0.5), "not whole"),
        (np.full((1, 2, 3, 4), np.nan), "NaN"),
        (np.full((1, 2, 3, 4), "a"), "dtype"),
        (np.full((1, 2, 3, 4), 1j), "dtype"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, text):
    with pytest.raises(InputError, match=text):
        present(SPIKING, values)


def test_payloads_keep_their_value():
    values = np.arange(24).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(present(SPIKING, values)[0], values)
    np.testing.assert_array_equal(present(network_with(Source(signed=True)), -values)[0], -values)


def test_the_input_layers_weight_and_bias_are_applied_and_rounded():
    network = network_with(CubaLIF(4096, 0, 1), (3,), InputTransform(40, 36))
    values = np.array([[0, 1, -0.875]])
    np.testing.assert_array_equal(present(network, values)[0, 0], [36, 76, 1])
    raw = np.array([[36, 76, 1]])
    np.testing.assert_array_equal(present(network, raw, apply_transform=False)[0], raw)


def test_a_state_that_would_leave_int32_is_refused():
    network = network_with(Delta(6), (1,))
    assert present(network, np.array([[(1 << 19) - 1]]))[0, 0, 0] == (1 << 19) - 1
    with pytest.raises(InputError, match="outside"):
        present(network, np.array([[1 << 19]]))


def test_steps_after_the_input_are_empty_not_transformed():
    network = network_with(CubaLIF(4096, 0, 1), (1,), InputTransform(40, 36))
    np.testing.assert_array_equal(
        present(network, np.ones((2, 1)), steps=4)[0, :, 0], [76, 76, 0, 0]
    )
    with pytest.raises(InputError, match="steps"):
        present(network, np.ones((2, 1)), steps=0)


def test_fingerprints_tell_inputs_apart():
    network = network_with(Source(), (4,))
    values = np.arange(24).reshape(2, 3, 4)

    def fingerprint(given, **options):
        return presented(network, given, **options).fingerprint()

    assert fingerprint(values) == fingerprint(values.astype(np.uint8))
    assert fingerprint(values) == fingerprint(values.astype(float))
    assert fingerprint(values) != fingerprint(values.reshape(3, 2, 4))
    assert fingerprint(values) != fingerprint(values + 1)
    assert fingerprint(values) != fingerprint(values, steps=5)
    cut = np.concatenate([values, np.zeros((2, 2, 4), int)], axis=1)
    assert fingerprint(values, steps=5) == fingerprint(cut)


@pytest.mark.parametrize("large", [True, False])
def test_a_held_picture_has_the_fingerprint_of_its_copies(monkeypatch, large):
    monkeypatch.setattr(arrays, "_LARGE", 0 if large else 1 << 18)
    network = network_with(Source(), (4,))
    picture = np.arange(12).reshape(3, 1, 4)
    held = np.broadcast_to(picture, (3, 5, 4))

    def fingerprint(given, **options):
        return presented(network, given, **options).fingerprint()

    for kind in (np.int64, np.uint8, float):
        assert fingerprint(held.astype(kind)) == fingerprint(held)
    changed = held.copy()
    changed[2, 4, 3] += 1
    padded = np.concatenate([held, np.zeros((3, 1, 4), int)], axis=1)
    assert fingerprint(changed) != fingerprint(held)
    assert fingerprint(held, steps=4) == fingerprint(held[:, :4].copy()) != fingerprint(held)
    assert fingerprint(held, steps=6) == fingerprint(padded) != fingerprint(held)


def test_blocks_together_are_the_whole():
    network = network_with(CubaLIF(4096, 0, 1), (3,), InputTransform(40, 36))
    inputs = np.random.default_rng(0).random((5, 4, 3))
    ready = presented(network, inputs, steps=6)
    assert ready.shape == (5, 6, 3)
    np.testing.assert_array_equal(np.concatenate([ready[0:2], ready[2:5]]), ready[:])
    assert ready.limits == (0, 76) or ready[:].max() == ready.limits[1]


def test_reading_npy_and_npz(tmp_path):
    inputs = np.arange(6).reshape(2, 3)
    np.save(tmp_path / "a.npy", inputs)
    np.savez(tmp_path / "a.npz", inputs=inputs, labels=[4])
    read, labels = read_inputs(tmp_path / "a.npy")
    np.testing.assert_array_equal(read, inputs)
    assert labels is None
    read, labels = read_inputs(tmp_path / "a.npz")
    np.testing.assert_array_equal(read, inputs)
    np.testing.assert_array_equal(labels, [4])


def test_bad_input_files_get_one_line(tmp_path):
    inputs = np.arange(600).reshape(20, 30)
    np.save(tmp_path / "a.npy", inputs)
    np.savez(tmp_path / "a.npz", other=inputs)
    np.savez(tmp_path / "b.npz", inputs=inputs)
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_text("")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:500])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:500])
    for name in ("none.npy", "a.npz", "object.npy", "text.npy", "empty.npy", "cut.npy", "cut.npz"):
        with pytest.raises(InputError) as caught:
            read_inputs(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_steps_until_the_output_has_seen_all_whatever_axes_are_left_out():
    network = Network(
        (Population("input", (1, 5, 5), Source()), Population("a", (2, 5, 5), CubaLIF(9, 9, 9))),
        (Projection("input", "a", Conv(np.ones((2, 1, 1, 1), np.int32))),),
    )
    for shape in ((7, 5, 5), (7, 1, 5, 5), (3, 7, 5, 5), (3, 7, 1, 5, 5)):
        assert draining_steps(network, np.zeros(shape, np.int32)) == 8
    assert as_samples(network, np.zeros((3, 7, 5, 5))).shape == (3, 7, 1, 5, 5)


def test_axes_are_brought_into_order_without_a_copy():
    inputs = np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)  # T, B, H, W, C
    ordered = order_axes(inputs, "TBHWC")
    assert ordered.shape == (3, 2, 6, 4, 5)
    assert np.shares_memory(ordered, inputs)
    assert ordered[2, 1, 5, 3, 4] == inputs[1, 2, 3, 4, 5]
    assert np.array_equal(order_axes(inputs, "tb..."), np.moveaxis(inputs, 0, 1))
    assert np.array_equal(order_axes(inputs, "...BT"), inputs.transpose(3, 4, 0, 1, 2))
    assert np.array_equal(order_axes(inputs[0, 0], "NTC"), inputs[0, 0].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("TB", "needs one letter for each of 3 axes"),
        ("TBNC", "needs one letter"),
        ("TTN", "each once"),
        ("T.N", "needs one letter"),
        ("BNC", "name it T"),
        ("...", "name it T"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axes, said):
    with pytest.raises(InputError, match=said):
        order_axes(np.zeros((3, 4, 5)), axes)


def trained_time_first(framework):
    source = Population("in", (5,), Source())
    out = Population("out", (2,), CubaLIF(4096, 4096, 1))
    projection = Projection("in", "out", Dense(np.ones((2, 5), np.int32)))
    return Network((source, out), (projection,), metadata={"nir/preset": framework})


def test_more_samples_than_steps_may_be_time_first():
    """The frameworks' own arrays are [steps, samples, ...]; read as documented they fit as well."""
    inputs = np.zeros((100, 8, 5), np.uint8)
    for framework in TIME_FIRST:
        network = trained_time_first(framework)
        with pytest.warns(InputWarning, match="read as 100 samples of 8 steps"):
            assert nd.run(network, inputs).samples == 100
        assert nd.run(network, inputs, axes="TBN").samples == 8
        assert nd.run(network, inputs, axes="BTN").samples == 100
    assert nd.run(trained_time_first("sinabs"), inputs).samples == 100


def test_labels_tell_time_first_inputs(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, inputs=np.zeros((100, 8, 5), np.uint8), labels=np.zeros(8, int))
    with pytest.raises(InputError, match=r"8 labels seem to be \[steps, samples"):
        read_inputs(path)
    inputs, labels = read_inputs(path, axes="TB...")
    assert inputs.shape == (8, 100, 5)
    assert len(labels) == 8
