"""Each tutorial is followed to the letter, in an empty folder."""

from __future__ import annotations

import importlib
import shutil
from importlib.util import find_spec

import pytest

from sim_tests.conftest import HAS_TORCH, ROOT
from sim_tests.docs.pages import DOCS, blocks_of, environment, missing_lines, walk

TUTORIALS = DOCS / "tutorials"


def test_what_is_promised_and_not_printed_is_found():
    assert list(missing_lines("a  1\nb ... c\n", "a 1\n b 2 c\n")) == []
    assert list(missing_lines("a 2\nb ... d\n", "a 1\nb 2 c")) == ["a 2", "b ... d"]


@pytest.mark.parametrize("name", ["first_steps", "energy_table", "teach_the_chip"])
def test_it_can_be_followed_with_the_core_alone(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walk(TUTORIALS / f"{name}.md", tmp_path)
    written = {
        "first_steps": ("report.html", "broken.html"),
        "energy_table": ("energy.tex",),
        "teach_the_chip": ("taught.net",),
    }
    for file in written[name]:
        assert (tmp_path / file).stat().st_size > 100


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TORCH, reason="needs SLAYER: neurodeploy doctor --add lava-dl")
def test_from_slayer_to_a_chip_report(tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install '.[demo]'")
    monkeypatch.chdir(tmp_path)
    walk(TUTORIALS / "slayer.md", tmp_path)
    assert (tmp_path / "verified" / "report.html").is_file()
    assert (tmp_path / "report.html").is_file()


def test_the_pages_of_tasks_and_concepts_run_too(tmp_path, monkeypatch):
    """What they show in Python or the shell, where it needs no file that a reader has to bring."""
    (tmp_path / "netx_exports").symlink_to(ROOT / "netx_exports")
    monkeypatch.chdir(tmp_path)
    for name in ("inputs", "concepts/audit", "extend/chip"):
        assert blocks_of(DOCS / f"{name}.md")
        walk(DOCS / f"{name}.md", tmp_path)


def test_the_notebook_runs_and_prints_what_it_shows(tmp_path):
    for module in ("nir", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason=f"needs {module}: pip install '.[docs,nir]'")
    nbformat = importlib.import_module("nbformat")
    for path in TUTORIALS.glob("digits_snntorch*"):
        shutil.copy(path, tmp_path)
    shown = nbformat.read(TUTORIALS / "snntorch.ipynb", as_version=4)
    ran = nbformat.read(TUTORIALS / "snntorch.ipynb", as_version=4)
    client = importlib.import_module("nbclient").NotebookClient(
        ran, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=environment())  # raises what a cell raises
    trained = all(find_spec(name) for name in ("snntorch", "nirtorch", "sklearn"))
    for before, after in zip(shown.cells, ran.cells, strict=True):
        if before.cell_type == "code":
            # Joined: how a cell's text is cut into parts hangs on how fast the machine is.
            printed = "".join(o.text for o in after.outputs if o.get("name") == "stdout")
            if "HAS_SNNTORCH" not in before.source and not trained:
                assert printed == "".join(o.text for o in before.outputs), before.source
    assert (tmp_path / "snntorch_report.html").is_file()
