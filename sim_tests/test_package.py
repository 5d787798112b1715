"""The package as a whole: quick to import, and its rooms depend downwards only."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import neurodeploy.network

PACKAGE = Path(neurodeploy.__file__).parent


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
        "import sys, neurodeploy as nd, neurodeploy.formats.slayer, neurodeploy.exporting.export\n"
        "import neurodeploy.formats.slayer.checkpoint\n"
        f"nd.load({str(PACKAGE.parent / 'netx_exports' / 'digits.net')!r})\n"
        "print(' '.join({name.split('.')[0] for name in sys.modules}))"
    ).split()
    assert "numpy" in loaded
    assert not {"torch", "lava"} & set(loaded)


def test_loading_and_running_a_network_imports_what_it_needs_and_no_more():
    """Each of these takes a good part of the time in which a short process could be done."""
    loaded = run(
        "import sys, numpy, neurodeploy as nd\n"
        f"net = nd.load({str(PACKAGE.parent / 'netx_exports' / 'digits.net')!r})\n"
        "nd.run(net, numpy.zeros((10, *net.input.shape), numpy.uint8))\n"
        "print(*sys.modules)"
    ).split()
    assert "neurodeploy.core.library" in loaded
    needless = {
        "importlib.metadata",
        "email",
        "concurrent.futures",
        "zipfile",
        "rich",
        "typer",
        "jinja2",
        "soundfile",
        "neurodeploy.formats.slayer",
        "neurodeploy.formats.nir",
        "neurodeploy.backends.lava.environment",
        "neurodeploy.core.floating",
        "neurodeploy.remote",
    }
    assert not needless & set(loaded)


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
        "print(all(getattr(nd, name).__doc__ for name in nd.__all__ if name[0] != '_'))"
    ).startswith("True")


def test_no_module_imports_one_that_imports_it():
    """Packages themselves included, which import-linter's contracts take as one with their modules.

    That rooms import downwards only is import-linter's to check (`make lint`).
    """
    grimp = pytest.importorskip("grimp", reason="import-linter (extra dev) is not installed")
    graph = grimp.build_graph(PACKAGE.name, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # raises a CycleError that names them


def test_few_places_ask_which_model_something_is_and_each_says_why():
    """Outside `network` and `formats` traits and methods are asked, in all but few places."""
    models = {
        name
        for room in (neurodeploy.network.neurons, neurodeploy.network.synapses)
        for name in room.__all__
        if isinstance(getattr(room, name), type)
    }
    found, silent = [], []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in {"network", "formats"}:
            continue
        source = path.read_text()
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if not asks_for_a_model(node, models):
                continue
            place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
            found.append(place)
            if not any("# " in line for line in lines[node.lineno - 2 : node.lineno]):
                silent.append(place)
    assert len(found) <= 21, found
    assert not silent


def asks_for_a_model(node: ast.AST, models: set[str]) -> bool:
    """Whether it is an `isinstance` or a comparison of a type with one of some classes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        asked = node.args[1:] if node.func.id in {"isinstance", "issubclass"} else []
    elif isinstance(node, ast.Compare) and "type(" in ast.unparse(node.left):
        asked = node.comparators
    else:
        asked = []
    return any(
        name.id in models for part in asked for name in ast.walk(part) if isinstance(name, ast.Name)
    )


def test_the_package_keeps_its_budget():
    """Of lines of code; the script prints the rooms."""
    counted = subprocess.run(
        [sys.executable, PACKAGE.parent / "scripts" / "code_budget"], capture_output=True, text=True
    )
    assert counted.returncode == 0, counted.stdout
