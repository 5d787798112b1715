"""Operators that Lava has against its process models, whose code runs here without processes."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    DelayedDense,
    Network,
    Population,
    Projection,
    Sigma,
    Source,
    Sparse,
    TemporalFIR,
)
from sim_tests.random_synapses import weights

STEPS = 80


class Port:
    """Stands in for a Lava port: gives what it was told to give, keeps what was sent."""

    def recv(self):
        return self.value.copy()

    def send(self, value):
        self.value = np.array(value)


def lava_model(module, name, **variables):
    """A process model without its process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = getattr(importlib.import_module(f"lava.proc.{module}.models"), name)
    except ImportError:
        pytest.skip("needs lava-nc: neurodeploy doctor --add lava")
    model = kind.__new__(kind)
    for key, value in variables.items():
        setattr(model, key, value)
    model.s_in, model.a_out = Port(), Port()
    model.num_message_bits = np.array([24])
    return model


def currents_of_lava(model, messages):
    sent = []
    for message in messages:
        model.s_in.value = message
        model.run_spk()
        sent.append(np.asarray(model.a_out.value).astype(np.int64))
    return np.array(sent)


def currents_of_engine(synapse, messages, targets):
    """What the operator delivers: the change of neurons that add everything up."""
    network = Network(
        (
            Population("input", (messages.shape[1],), Source(signed=True)),
            Population("sums", (targets,), Sigma()),
        ),
        (Projection("input", "sums", synapse),),
    )
    sums = nd.run(network, messages, record=("u",))["sums"].u[0].astype(np.int64)
    return np.diff(sums, axis=0, prepend=0)


def messages_of(rng, sources):
    payload = rng.integers(-40, 90, (STEPS, sources))
    return (payload * (rng.random((STEPS, sources)) < 0.3)).astype(np.int32)


@pytest.mark.parametrize("seed", range(10))
def test_temporal_fir_is_conv_in_time(seed):
    rng = np.random.default_rng(seed)
    taps, targets, sources = (int(n) for n in rng.integers(1, 9, 3))
    weight = weights(rng, taps, targets, sources)
    messages = messages_of(rng, sources)
    model = lava_model(
        "conv_in_time",
        "PyConvInTimeFixed",
        weights=weight[::-1].astype(np.int64),
        a_buff=np.zeros((targets, taps), np.int64),
    )
    expected = currents_of_lava(model, messages)
    assert expected.any()
    found = currents_of_engine(TemporalFIR(weight), messages, targets)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(10))
def test_delayed_dense_is_delay_dense(seed):
    rng = np.random.default_rng(seed)
    targets, sources = (int(n) for n in rng.integers(2, 9, 2))
    weight = weights(rng, targets, sources)
    weight[0, 0] = -90  # mixed signs: what Lava keeps exactly is even
    weight[0, 1] = 90
    delay = rng.integers(0, 63, (targets, sources)).astype(np.int32)
    messages = messages_of(rng, sources)
    model = lava_model(
        "dense",
        "PyDelayDenseModelBitAcc",
        weights=weight.copy(),
        delays=delay,
        a_buff=np.zeros((targets, 63), np.int32),
        proc_params={},
        weights_set=False,
    )
    expected = currents_of_lava(model, messages)
    assert expected.any()
    found = currents_of_engine(DelayedDense(weight, delay), messages, targets)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(5))
def test_sparse_is_sparse(seed):
    scipy_sparse = pytest.importorskip("scipy.sparse", reason="Lava's Sparse needs scipy")
    rng = np.random.default_rng(seed)
    weight = (weights(rng, 12, 15) * (rng.random((12, 15)) < 0.3)).astype(np.int32)
    weight[0, :2] = -90, 90
    messages = messages_of(rng, 15)
    model = lava_model(
        "sparse",
        "PySparseModelBitAcc",
        weights=scipy_sparse.csr_matrix(weight),
        a_buff=np.zeros(12, np.int32),
        proc_params={},
        weights_set=False,
    )
    expected = currents_of_lava(model, messages)
    assert expected.any()
    found = currents_of_engine(Sparse.from_dense(weight), messages, 12)
    np.testing.assert_array_equal(found, expected)
