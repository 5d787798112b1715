"""What a backend does not know it refuses by name, and one job has one number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS
from neurodeploy.errors import BackendError, InputError, NeurodeployError
from neurodeploy.exporting import verify as verify_module
from neurodeploy.network import (
    CubaLIF,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.profiling import profile_host

STEPS = 6
GIVEN = {
    "threads": 2,
    "timeout_seconds": 1e-9,
    "place": "here",
    "job": "a-folder",
    "board_settings": {"measure": False},
}
"""A value of each option that not every backend knows."""


def two_layers(neuron: Any, weight: np.ndarray[Any, Any]) -> Network:
    return Network(
        (
            Population("input", (3,), Source()),
            Population("hidden", (3,), neuron),
            Population("output", (3,), neuron),
        ),
        (
            Projection("input", "hidden", Dense(weight)),
            Projection("hidden", "output", Dense(weight)),
        ),
    )


@pytest.fixture
def network() -> Network:
    return two_layers(CubaLIF(4095, 0, 1), np.eye(3, dtype=np.int32))


@pytest.fixture
def floats() -> Network:
    return two_layers(FloatLIF(), np.eye(3, dtype=np.float32))


@pytest.fixture
def inputs() -> np.ndarray[Any, Any]:
    return np.random.default_rng(2).integers(0, 2, (2, STEPS, 3)).astype(np.int32)


def test_every_option_of_some_backends_is_tried_below() -> None:
    assert set(GIVEN) == {name for backend in BACKENDS.values() for name in backend.options}


@pytest.mark.parametrize(
    ("backend", "option"),
    [(b, o) for b in BACKENDS for o in GIVEN if o not in BACKENDS[b].options],
)
def test_an_option_that_a_backend_does_not_know_is_refused_by_name(
    network: Network, inputs: np.ndarray[Any, Any], backend: str, option: str
) -> None:
    says = rf"^{option}: backend '{backend}' (does not know it|runs in this process); leave it out"
    with pytest.raises(BackendError, match=says):
        nd.run(network, inputs, backend=backend, **{option: GIVEN[option]})


def test_a_time_limit_on_the_engine_is_refused_and_not_ignored(
    network: Network, inputs: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(BackendError, match=r"timeout_seconds: .* another backend \(lava, loihi2\)"):
        nd.run(network, inputs, timeout_seconds=1e-9)


def test_a_reset_offset_alone_is_refused(network: Network, inputs: np.ndarray[Any, Any]) -> None:
    with pytest.raises(InputError, match="reset_offset: 3 without reset_interval"):
        nd.run(network, inputs, reset_offset=3)


@pytest.mark.parametrize("what", ["counts", "spikes", "u", "v"])
def test_one_name_of_what_to_record_is_a_string(
    network: Network, inputs: np.ndarray[Any, Any], what: str
) -> None:
    one, several = nd.run(network, inputs, record=what), nd.run(network, inputs, record=(what,))
    assert one.header.record == several.header.record
    assert sorted(one.arrays) == sorted(several.arrays)
    with pytest.raises(InputError, match="record 'spike': unknown; there are counts, spikes"):
        nd.run(network, inputs, record="spike")


def test_one_name_of_what_to_allow_is_a_string(network: Network, tmp_path: Any) -> None:
    nd.save(network, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net", allow="unknown") == network


def test_float_recordings_know_their_inputs(floats: Network, inputs: np.ndarray[Any, Any]) -> None:
    first, again, other = (
        nd.run(floats, x, backend="float") for x in (inputs, inputs.astype(float), 1 - inputs)
    )
    assert len(first.header.inputs) == 64
    assert first.header.inputs == again.header.inputs
    with pytest.raises(NeurodeployError, match="of different inputs"):
        nd.compare(first, other)


def test_a_float_recording_has_the_hash_of_the_engine(
    network: Network, floats: Network, inputs: np.ndarray[Any, Any]
) -> None:
    hashes = [
        nd.run(net, inputs, backend=backend).header.inputs
        for net, backend in ((network, "engine"), (floats, "float"))
    ]
    assert hashes[0] == hashes[1]


def steps_of_verify(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, network: Network, inputs: Any, **how: Any
) -> int:
    """Steps of a `verify` whose other backend is the engine, too."""

    def run(net: Network, x: Any, **options: Any) -> nd.Recording:
        options = {k: options[k] for k in ("record", "steps", "drain", "apply_transform")}
        return nd.run(net, x, **options)

    monkeypatch.setattr(verify_module, "run", run)
    found = verify_module.verify(network, inputs, tmp_path / "verified", **how)
    assert found.recordings[0].steps == found.recordings[1].steps == found.profiles[0].steps
    return found.profiles[0].steps


@pytest.mark.parametrize(
    ("how", "steps"), [({}, STEPS), ({"drain": True}, STEPS + 2), ({"steps": 4}, 4)]
)
def test_run_verify_and_profile_count_the_same_steps(
    network: Network,
    inputs: np.ndarray[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    how: dict[str, Any],
    steps: int,
) -> None:
    recording = nd.run(network, inputs, **how)
    windows = {"window_seconds": 1e-3, "windows": 1}
    assert recording.steps == steps
    assert nd.profile(recording).steps == steps
    assert profile_host(network, inputs, recording=recording, **windows).steps == steps
    if not how:
        assert profile_host(network, inputs, **windows).steps == steps
    assert steps_of_verify(monkeypatch, tmp_path, network, inputs, **how) == steps


def test_steps_and_drain_together_are_refused(
    network: Network, inputs: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(InputError, match="drain: together with 4 steps; give one of the two"):
        nd.run(network, inputs, steps=4, drain=True)


def test_verify_refuses_inputs_that_never_reach_the_output(
    network: Network, inputs: np.ndarray[Any, Any], tmp_path: Any
) -> None:
    with pytest.raises(InputError, match="2 steps, the output lags them by 2 and would show"):
        verify_module.verify(network, inputs[:, :2], tmp_path / "verified")
    assert not (tmp_path / "verified").exists()
