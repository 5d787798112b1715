"""Where the real networks are; tests that need them skip, saying why, where they are not."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.core.build import NoCompiler, build_in_place

ROOT = Path(__file__).parents[1]
CASES = ROOT.parent / "shared" / "cases"
HAS_LAVA = importlib.util.find_spec("lava") is not None
HAS_TORCH = HAS_LAVA and importlib.util.find_spec("torch") is not None


def pytest_configure(config: pytest.Config) -> None:
    """Compile the core for every instruction set, before workers start: the tests take each."""
    if hasattr(config, "workerinput") or os.environ.get("NEURODEPLOY_CORE"):
        return
    try:
        build_in_place(tell=lambda line: print(line, file=sys.stderr), levels=())
    except NoCompiler as error:
        pytest.exit(f"the core cannot be compiled for all instruction sets: {error}", 2)


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of real networks and data."""
    if not CASES.is_dir():
        pytest.skip("needs the case files in ../shared/cases, which are not part of a clone")
    return CASES


@pytest.fixture(scope="session")
def faults(cases: Path) -> Path:
    """Inputs that once went wrong, with the right answers; its README says which."""
    return cases / "faults"


@pytest.fixture(scope="session")
def netx_truth() -> Path:
    """lava-dl's trained networks with their recorded truth, installed with its wheel."""
    spec = importlib.util.find_spec("lava")
    if spec is not None and spec.submodule_search_locations:
        for place in spec.submodule_search_locations:
            truth = Path(place).parent / "tests" / "lava" / "lib" / "dl" / "netx"
            if truth.is_dir():
                return truth
    pytest.skip("needs lava-dl, whose wheel brings the networks and their recorded truth")


@pytest.fixture(scope="session")
def lava() -> None:
    """Skip where Lava's simulator is not installed."""
    if not HAS_LAVA:
        pytest.skip("needs lava-nc: neurodeploy doctor --add lava")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Draw the same weights whichever tests ran before: torch keeps one generator for all."""
    torch = sys.modules.get("torch") or (importlib.import_module("torch") if HAS_TORCH else None)
    if torch is not None:
        torch.manual_seed(0)
    np.random.seed(0)
