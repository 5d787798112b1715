"""The example of binary maps: a short training, and integers that follow the floats."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sim_tests.conftest import ROOT

FOLDER = ROOT / "examples" / "snr_maps"


def correlation(text):
    """Of the integers with the floats."""
    (found,) = re.findall(r"r of integers with floats: ([\d.]+)", text)
    return float(found)


def test_the_readme_keeps_what_must_hold():
    assert correlation((FOLDER / "README.md").read_text()) >= 0.99


@pytest.mark.slow
def test_a_short_training(cases):
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-m", "examples.snr_maps.run", cases / "spoken_digits" / "recordings",
         "--batches", "60"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert correlation(done.stdout) >= 0.99
    assert "31.6 times as much" in done.stdout
