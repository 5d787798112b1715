"""Every example runs and says what its README says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from .conftest import ROOT


def test_braille(cases):
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "braille" / "run.py", cases / "braille7"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [float(x) for x in re.findall(r"([\d.]+)%", done.stdout)]
    readme = (ROOT / "examples" / "braille" / "README.md").read_text()
    table = [float(x) for x in re.findall(r"\| \**([\d.]+) %\** \|", readme)]
    assert len(said) == len(table) == 10
    assert all(any(abs(x - y) < 0.4 for y in table) for x in said)


@pytest.mark.slow
def test_tinyrsnn(cases, tmp_path):
    page = tmp_path / "rounded.html"
    done = subprocess.run(
        [sys.executable, "-m", "examples.tinyrsnn.rounded",
         cases / "tinyrsnn" / "indy01_seed1.npz", "--report", page],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [float(x) for x in re.findall(r"coincide: ([\d.]+)%", done.stdout)]
    readme = (ROOT / "examples" / "tinyrsnn" / "README.md").read_text()
    table = [float(x) for x in re.findall(r"\| ([\d.]+) % \|", readme)]
    assert len(said) == len(table) == 2
    assert all(abs(x - y) < 0.3 for x, y in zip(said, table, strict=True))
    assert "differ from stork's: 0 of 2,035" in done.stdout
    assert "0 of 2,035" in page.read_text()


@pytest.mark.slow
def test_digits():
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install '.[demo]'")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "digits" / "bits.py", "--no-fine-tune"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [float(x) for x in re.findall(r"rounded +([\d.]+) %", done.stdout)]
    readme = (ROOT / "examples" / "digits" / "README.md").read_text()
    table = [float(x) for x in re.findall(r"^\| \d \| ([\d.]+) %", readme, flags=re.MULTILINE)]
    assert len(said) == len(table) == 5
    assert all(abs(x - y) < 0.3 for x, y in zip(said, table, strict=True))


def test_ndns(cases):
    """One speaker of six; each of its gains stands in the README."""
    pytest.importorskip("soxr", reason="needs soxr: pip install '.[audio]'")
    folder = ROOT / "examples" / "ndns"
    arguments = [cases / "ndns" / "network.net", cases / "spoken_digits" / "recordings"]
    done = subprocess.run(
        [sys.executable, folder / "run.py", *arguments, "--speakers", "1"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [float(x) for x in re.findall(r"improvement (-?[\d.]+)", done.stdout)]
    rows = re.findall(r"^\| \w+ \d+ dB \|(.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    table = [float(row.split("|")[3]) for row in rows]
    assert len(said) == len(table) == 9
    assert all(abs(x - y) < 0.1 for x, y in zip(said, table, strict=True))
    assert "to the bit: True" in done.stdout
