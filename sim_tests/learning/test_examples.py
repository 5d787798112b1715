"""The examples that learn say what their README says; what floats do differs between machines."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sim_tests.conftest import ROOT

FOLDER = ROOT / "examples" / "learning"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["readout", "liquid", "recurrent"])
def test_examples(name):
    pytest.importorskip("sklearn", reason="needs scikit-learn: the extra demo")
    done = subprocess.run(
        [sys.executable, "-m", f"examples.learning.{name}"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    readme = (FOLDER / "README.md").read_text()
    said = [line for line in done.stdout.splitlines() if "floats" not in line]
    assert said
    assert not [line for line in said if line not in readme]
