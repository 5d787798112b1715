"""Building and choosing: the library belongs to its sources, the level to the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from neurodeploy.core import build
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
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.NoCompiler, match="pip install ziglang"):
        build.find_compiler(build.Machine.here())


def test_failing_compiler_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(build.NoCompiler, match="failed"):
        build.compile_core(tmp_path / "core.so")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_it_compiles_in_a_path_with_spaces(tmp_path):
    folder = tmp_path / "a folder with spaces"
    for path in build.source_files():
        copy = folder / path.relative_to(build.SOURCES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    command = [sys.executable, str(folder / "build.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    library = Path(done.stdout.splitlines()[-1])
    assert library.parent == folder / "_built"
    code = "from neurodeploy.core.library import units; print(units())"
    env = {**os.environ, "NEURODEPLOY_CORE": str(library), "PYTHONPATH": str(ROOT)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == str(units())
