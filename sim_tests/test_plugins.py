"""Backends, formats and targets of a package of somebody else, as docs/extend shows them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS
from neurodeploy.errors import BackendError, FormatError, InputError, PluginWarning
from neurodeploy.formats import FORMATS
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Rating, Source
from neurodeploy.plugins import Registry
from neurodeploy.targets import TARGETS
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.rewrite import rewritten_for

from .docs.pages import DOCS, entry_points_of, files_of

BAD = """
from toy_backend import ToyBackend
from toy_format import ToyFormat


class Engine(ToyBackend):
    name = "engine"
"""

BAD_ENTRY_POINTS = {
    "engine": "toy_bad:Engine",
    "broken": "toy_package_that_is_missing:Backend",
    "halfway": "toy_bad:ToyFormat",
}

ALL_REFUSED = {"engine": "the name is taken", "broken": "ModuleNotFoundError", "halfway": "lacks"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages for authors show, as an installer leaves it, on the path."""
    folder = tmp_path / "site"
    info = folder / "toy_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
    points: dict[str, dict[str, str]] = {}
    for name in ("backend", "format", "target"):
        page = DOCS / "extend" / f"{name}.md"
        for file, text in files_of(page).items():
            (folder / file).write_text(text)
        for group, found in entry_points_of(page).items():
            points.setdefault(group, {}).update(found)
    (folder / "toy_bad.py").write_text(BAD)
    points["neurodeploy.backends"].update(BAD_ENTRY_POINTS)
    lines = [
        line
        for group, found in points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in found.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder))
    registries: tuple[Registry, ...] = (BACKENDS, FORMATS, TARGETS)
    for registry in registries:  # as in a process that begins now
        vars(registry).pop("_from_elsewhere", None)
    yield folder
    for registry in registries:
        vars(registry).pop("_from_elsewhere", None)
    for name in ("toy_bad", "toy_backend", "toy_remote", "toy_format", "toy_target"):
        sys.modules.pop(name, None)


@pytest.fixture
def network() -> Network:
    return Network(
        (Population("in", (3,), Source()), Population("out", (2,), CubaLIF(4095, 0, 1))),
        (Projection("in", "out", Dense(np.arange(6, dtype=np.int32).reshape(2, 3))),),
    )


def with_all_refused(call):
    """What a call gives that looks for packages; each that is of no use is refused in one line."""
    with pytest.warns(PluginWarning) as said:
        result = call()
    lines = [str(warning.message) for warning in said]
    for name, reason in ALL_REFUSED.items():
        (line,) = [line for line in lines if line.startswith(f"backend {name!r} of toy_")]
        assert reason in line
        assert "\n" not in line
    return result


def shell(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(nd.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "neurodeploy", *words],
        cwd=folder,
        env={"PYTHONPATH": f"{root}:{folder}", "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_network_runs_on_a_backend_from_elsewhere(installed: Path, network: Network) -> None:
    inputs = np.ones((2, 5, 3), np.int32)
    recording = with_all_refused(lambda: nd.run(network, inputs, backend="toy", threads=1))
    assert recording.header.backend == "toy"
    np.testing.assert_array_equal(recording.output, np.ones((2, 5, 2), np.int32))
    with pytest.raises(BackendError, match="timeout_seconds: backend 'toy' runs in this"):
        nd.run(network, inputs, backend="toy", timeout_seconds=1)


def test_a_backend_from_elsewhere_has_workers(
    installed: Path, network: Network, tmp_path: Path
) -> None:
    python = tmp_path / "python"  # an interpreter that has the package, too
    python.write_text(f'#!/bin/sh\nPYTHONPATH={installed} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    inputs = np.ones((40, 5, 3), np.int32)
    options = {"place": str(python), "job": tmp_path / "job"}
    recording = with_all_refused(lambda: nd.run(network, inputs, backend="toy-remote", **options))
    assert recording.header.backend == "toy-remote"
    np.testing.assert_array_equal(recording.output, np.ones((40, 5, 2), np.int32))


def test_ours_stands_where_a_name_is_taken(installed: Path, network: Network) -> None:
    with_all_refused(lambda: list(BACKENDS))
    recording = nd.run(network, np.ones((1, 4, 3), np.int32))
    assert recording.header.backend_version == nd.__version__


def test_the_shell_lists_and_runs_it(installed: Path, network: Network, tmp_path: Path) -> None:
    nd.save(network, installed / "a.net")
    np.save(installed / "x.npy", np.ones((1, 4, 3), np.int32))
    said = shell(installed, "doctor")
    assert "backend toy" in said.stdout
    assert said.stderr.count("neurodeploy: warning: backend") == len(ALL_REFUSED)
    words = ("run", "a.net", "--input", "x.npy", "--backend", "toy", "-o", "a.h5")
    said = shell(installed, *words)
    assert said.returncode == 0, said.stderr
    assert nd.Recording.load(installed / "a.h5").header.backend == "toy"


def test_a_format_from_elsewhere_saves_and_loads(
    installed: Path, network: Network, tmp_path: Path
) -> None:
    nd.save(network, tmp_path / "a.toy")
    assert nd.load(tmp_path / "a.toy") == network
    assert nd.load(tmp_path / "a.toy", threshold=7).output.neuron.threshold == 7
    with pytest.raises(FormatError, match="dt: no option for a toy file; there are threshold"):
        nd.load(tmp_path / "a.toy", dt=1e-3)
    with pytest.raises(FormatError, match="dt: no option for a toy file; there are none"):
        nd.save(network, tmp_path / "a.toy", dt=1e-3)
    with pytest.raises(FormatError, match=r"unknown network suffix '.x'; write .* \.toy \(toy\)"):
        nd.save(network, tmp_path / "a.x")


def test_a_target_from_elsewhere_looks_ahead_and_rewrites(
    installed: Path, network: Network
) -> None:
    ahead = look_ahead(network, "toy")
    found = {entry.element: (entry.rating, entry.reason) for entry in ahead}
    assert found["in"] == (Rating.UNSUPPORTED, "3 neurons, limit 2")
    assert found["out"] == (Rating.FAITHFUL, "cuba-lif neurons")
    rewritten = rewritten_for(network, "toy")
    assert rewritten.output.name == "renamed"
    assert "for toy: outputs renamed; exact" in [entry.reason for entry in rewritten.audit]
    with pytest.raises(InputError, match="'tpu': unknown; there are lava, loihi2, netx, toy"):
        look_ahead(network, "tpu")


def test_a_name_of_ours_is_registered_once() -> None:
    registry: Registry = Registry("toy", (), InputError)

    class Toy:
        name = "toy"

    registry.register(Toy)
    with pytest.raises(ValueError, match="takes a name twice"):
        registry.register(Toy)
