"""The package as a whole: quick to import, and its rooms depend downwards only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import neurodeploy

PACKAGE = Path(neurodeploy.__file__).parent

FLOORS = [
    {"cli"},
    {"demo", "audio"},
    {"exporting"},
    {"reporting"},
    {"comparison", "profiling"},
    {"training"},
    {"quantization"},
    {"backends"},
    {"remote"},
    {"targets"},
    {"chip"},
    {"engine"},
    {"core"},
    {"recording"},
    {"formats", "inputs"},
    {"network"},
    {"files", "memory", "plugins"},
    {"errors", "_version"},
]
"""The house, top to bottom: a room imports from floors below its own, or from itself."""


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_import_brings_nothing_heavy():
    heavy = (
        "numpy",
        "h5py",
        "torch",
        "lava",
        "nir",
        "matplotlib",
        "numba",
        "rich",
        "typer",
        "jinja2",
        "sklearn",
    )
    loaded = run(
        "import sys, neurodeploy; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    ).split()
    assert "neurodeploy" in loaded
    assert not set(heavy) & set(loaded)


def test_reading_a_file_and_the_verb_export_bring_no_torch():
    loaded = run(
        "import sys, neurodeploy as nd, neurodeploy.formats.slayer, neurodeploy.exporting.module\n"
        "import neurodeploy.formats.slayer.checkpoint\n"
        f"nd.load({str(PACKAGE.parent / 'netx_exports' / 'digits.net')!r})\n"
        "print(' '.join({name.split('.')[0] for name in sys.modules}))"
    ).split()
    assert "numpy" in loaded
    assert not {"torch", "lava"} & set(loaded)


def test_import_is_quick():
    """Well under a second of processor time; the best of five, because machines are shared."""
    code = (
        "import time; t = time.process_time(); import neurodeploy; print(time.process_time() - t)"
    )
    assert min(float(run(code)) for _ in range(5)) < 0.75


def test_public_names_are_there_whatever_was_imported_first():
    assert run(
        "import neurodeploy.reporting, neurodeploy.comparison.recordings, neurodeploy.profiling\n"
        "import neurodeploy as nd\n"
        "print(all(callable(getattr(nd, name)) for name in nd.__all__ if name[0] != '_'))"
    ).startswith("True")


def test_rooms_import_downwards_only():
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        room = parts[0]
        if room in ("__init__", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = parts[: len(parts) - node.level]
            for alias in node.names:
                target = [*base, *(node.module or "").split(".")] if node.module else list(base)
                imported = [part for part in target if part] or [alias.name]
                if imported[0] != room and floor_of[imported[0]] <= floor_of[room]:
                    wrong.append(f"{'/'.join(parts)} imports {imported[0]}")
    assert not wrong


def test_the_package_keeps_its_budget():
    """Of lines of code; the script prints the rooms."""
    counted = subprocess.run(
        [sys.executable, PACKAGE.parent / "scripts" / "code_budget"], capture_output=True, text=True
    )
    assert counted.returncode == 0, counted.stdout
