"""The example runs and keeps what its README promises."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sim_tests.conftest import ROOT

FOLDER = ROOT / "examples" / "mnist_ann"


def rows(text):
    """Accuracy in % by form."""
    found = re.findall(r"^\| ([^|]+?) \| ([\d.]+)% \|", text, flags=re.MULTILINE)
    return {form: float(accuracy) for form, accuracy in found}


def test_the_table_keeps_within_half_a_point_of_floats_and_a_point_for_rates():
    table = rows((FOLDER / "README.md").read_text())
    assert len(table) == 5
    assert abs(table["graded, 8-bit weights, 8-bit payloads"] - table["float"]) <= 0.5
    assert abs(table["rate, 8-bit weights, 16 steps"] - table["float"]) <= 1


@pytest.mark.slow
def test_mnist(cases):
    systems = cases / "systems"
    done = subprocess.run(
        [sys.executable, "-m", "examples.mnist_ann.run",
         systems / "keras_dnn" / "a_minist_model.h5", systems / "mnist"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    readme = (FOLDER / "README.md").read_text()
    assert len(printed) == 6
    assert all(line in readme for line in printed)


def figures(text):
    """RMSE and SynOps by form."""
    found = re.findall(r"^\| ([a-z][^|]+) \| ([\d.]+) \|[^|]*\| ([\d,]*) ?\|", text, re.MULTILINE)
    return {form: (float(a), int(b.replace(",", "") or 0)) for form, a, b in found}


@pytest.mark.slow
def test_stream(cases):
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-m", "examples.mnist_ann.stream", cases / "systems" / "mnist"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, table = figures(done.stdout), figures((FOLDER / "README.md").read_text())
    assert said.keys() == table.keys()
    assert len(said) == 5
    for form, (error, synops) in said.items():
        assert error == pytest.approx(table[form][0], rel=0.2), form
        assert synops == pytest.approx(table[form][1], rel=0.2), form
