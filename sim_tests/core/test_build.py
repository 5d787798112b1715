"""Building and choosing: the library belongs to its sources, the level to the machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from neurodeploy.core import build, library
from neurodeploy.core.library import unit_in_use, units
from neurodeploy.errors import BackendError

V3 = {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe", "abm"}
V4 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
ROOT = Path(build.__file__).parents[2]


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").exists() or platform.machine() != "x86_64",
    reason="needs Linux on x86-64, which lists what its processor has",
)
def test_levels_are_those_of_the_machine():
    text = Path("/proc/cpuinfo").read_text()
    flags = set(next(line for line in text.splitlines() if line.startswith("flags")).split())
    expected = ["x86_64_v2"]
    expected += ["x86_64_v3"] if flags >= V3 else []
    expected += ["x86_64_v4"] if flags >= V4 else []
    assert units() == tuple(expected)


def test_best_level_is_taken_unless_another_is_named(monkeypatch):
    monkeypatch.delenv("NEURODEPLOY_ISA", raising=False)
    assert unit_in_use() == units()[-1]
    monkeypatch.setenv("NEURODEPLOY_ISA", units()[0])
    assert unit_in_use() == units()[0]
    monkeypatch.setenv("NEURODEPLOY_ISA", "mmx")
    with pytest.raises(BackendError, match=f"'mmx'; this machine runs {units()[0]}"):
        unit_in_use()


@pytest.mark.skipif(len(units()) < 2, reason="this machine has one instruction set")
def test_level_that_the_loaded_core_lacks_is_not_said_to_be_the_machines(monkeypatch):
    monkeypatch.setattr(library, "units", lambda: units()[1:])
    monkeypatch.setenv("NEURODEPLOY_ISA", units()[0])
    with pytest.raises(BackendError, match="set it before Python starts"):
        unit_in_use()


def test_the_compilers_program_and_the_core_see_the_same_processor():
    try:
        compiled = build.levels_here()
    except build.NoCompiler as error:
        pytest.skip(str(error))
    assert compiled == units()


def test_library_is_named_by_its_sources(monkeypatch, tmp_path):
    before = build.library_name()
    for path in build.source_files():
        copy = tmp_path / path.relative_to(build.SOURCES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    monkeypatch.setattr(build, "__file__", str(tmp_path / "build.py"))
    assert build.library_name() == before
    with (tmp_path / "neurons" / "cuba.hpp").open("a") as file:
        file.write("// changed\n")
    assert build.library_name() != before


def test_missing_compiler_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.NoCompiler, match="pip install ziglang"):
        build.find_compiler(build.Machine.here())


def test_failing_compiler_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(build.NoCompiler, match="failed"):
        build.compile_core(tmp_path / "core.so")
    assert not list(tmp_path.iterdir())


def copy_sources(folder):
    for path in build.source_files():
        copy = folder / path.relative_to(build.SOURCES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def python(*arguments, **variables):
    """What an interpreter prints that starts where the package is to be found."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=env, cwd=env["PYTHONPATH"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_it_compiles_the_best_level_in_a_path_with_spaces(tmp_path):
    folder = tmp_path / "a folder with spaces"
    copy_sources(folder)
    made = Path(python(folder / "build.py").splitlines()[-1])
    assert made.parent == folder / "_built"
    code = "from neurodeploy.core.library import units; print(*units())"
    assert python("-c", code, NEURODEPLOY_CORE=str(made)).split() == [units()[-1]]


@pytest.mark.slow
def test_a_level_that_is_asked_for_is_compiled_when_it_is_missing(tmp_path):
    """A fresh tree holds no library; one that holds another level does not stand in for it."""
    package = tmp_path / "neurodeploy"
    ignored = shutil.ignore_patterns("_built", "__pycache__")
    shutil.copytree(ROOT / "neurodeploy", package, ignore=ignored)
    built = package / "core" / "_built"
    code = (
        "from neurodeploy.core import build\n"
        "build.FLAGS = tuple(flag.replace('-O3', '-O0') for flag in build.FLAGS)\n"
        "from neurodeploy.core.library import units; print(*units())"
    )
    for level in (units()[0], ""):
        variables = {"PYTHONPATH": str(tmp_path), "NEURODEPLOY_ISA": level}
        assert python("-c", code, **variables).split() == [level or units()[-1]]
    assert len(list(built.iterdir())) == len({units()[0], units()[-1]})
    before = {path: path.stat().st_mtime_ns for path in built.iterdir()}
    assert python("-c", code, **variables).split() == [units()[-1]]
    assert {path: path.stat().st_mtime_ns for path in built.iterdir()} == before


def test_unknown_levels_and_machines_are_named():
    with pytest.raises(build.NoCompiler, match="'mmx'"):
        build.build_in_place(levels=("mmx",))
    for arguments in (["Plan9-x86_64"], ["Linux-aarch64", "x86_64_v3"]):
        with pytest.raises(build.NoCompiler, match="name one of Linux-x86_64"):
            build.main(arguments)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the wheel's tag is Linux's")
def test_without_a_compiler_pip_builds_a_wheel_with_zig_from_a_path_with_spaces(tmp_path):
    """PATH holds nothing, so that no compiler is found; Zig comes from the package index."""
    tree, wheels = tmp_path / "a tree with spaces", tmp_path / "wheels"
    ignored = shutil.ignore_patterns("_built", "__pycache__", ".venv*", ".ci-*", ".git")
    shutil.copytree(ROOT, tree, ignore=ignored)
    (tmp_path / "empty").mkdir()
    level = units()[-1]
    variables = {"PATH": str(tmp_path / "empty"), "CXX": "", "NEURODEPLOY_LEVELS": level}
    pip = ["-m", "pip", "--disable-pip-version-check"]
    probe = [
        sys.executable,
        *pip,
        "download",
        "--no-deps",
        "-q",
        "-d",
        tmp_path / "probe",
        "hatchling",
    ]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs a package index, which gives hatchling and ziglang")
    python(*pip, "wheel", "-q", "--no-deps", "-w", wheels, tree, **variables)
    (wheel,) = wheels.iterdir()
    assert wheel.name.endswith(f"-py3-none-manylinux_2_17_{build.Machine.here().name}.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (made,) = (installed / "neurodeploy" / "core" / "_built").iterdir()
    assert level in made.name
    code = "from neurodeploy.core.library import units; print(*units())"
    assert python("-c", code, PYTHONPATH=str(installed), **variables).split() == [level]
