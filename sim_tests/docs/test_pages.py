"""The pages hold together: links, order, words, and what is generated from the source."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS
from neurodeploy.cli import main
from neurodeploy.cli.app import VERBS
from neurodeploy.comparison.tables import VERDICTS
from neurodeploy.demo.shipped import shipped_digits
from neurodeploy.formats import FORMATS
from neurodeploy.network import NEURONS, Rating, neurons, synapses
from neurodeploy.plugins import Registry
from neurodeploy.profiling.result import Kind
from neurodeploy.targets import TARGETS
from sim_tests.conftest import HAS_TORCH, ROOT
from sim_tests.docs.pages import DOCS, environment

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """All Markdown of the source that a reader may open."""
    named = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    for folder in ("benchmarks", "examples", "netx_exports"):
        named += (ROOT / folder).rglob("*.md")
    return sorted(path for path in named if "run" not in path.parts)


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as sites and forges make them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_hold_in_the_source_tree(page):
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target} leads nowhere"
        if anchor and there.suffix == ".md":
            assert anchor in anchors_of(there), f"{page.name}: {target} has no such heading"


def test_every_page_has_its_place_in_the_site():
    listed = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    there |= {
        page.relative_to(DOCS).with_suffix(".md").as_posix() for page in DOCS.rglob("*.ipynb")
    }
    assert there <= listed
    outside = {name.removeprefix("source/") for name in listed - there}
    assert all((ROOT / name).is_file() for name in outside)


def test_the_readme_fits_a_screen_or_two():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120


def test_no_page_sends_its_reader_to_a_design_that_a_clone_has_not():
    for page in pages():
        assert "DESIGN.md" not in page.read_text(encoding="utf-8"), page


EVERYDAY = {
    *("a", "and", "at", "b", "by", "cores", "db", "differing", "difference", "done", "engine"),
    *("error", "first", "max", "mean", "names", "of", "over", "per", "shape", "taken", "that"),
    *("the", "was", "what", "x", "y", "z"),
}
"""Words of headings that need no explanation."""


def glossary() -> set[str]:
    """Every word that stands in front of a row, singly."""
    text = (DOCS / "concepts" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"[a-z-]+", row.lower())}


def unexplained(said: str) -> set[str]:
    """Words of a heading or a tag that the glossary lacks, singular or plural."""
    words = set(re.findall(r"[a-z][a-z-]*", said.lower())) - EVERYDAY
    known = glossary()
    forms = {word: {word, f"{word}s", word.removesuffix("s"), f"{word}d"} for word in words}
    return {word for word, of_word in forms.items() if not of_word & known}


def test_the_glossary_has_the_words_of_ratings_tags_and_verdicts():
    words = [*(rating.value for rating in Rating), *get_args(Kind), "counted", VERDICTS[True]]
    assert not {word for said in words for word in unexplained(said)}
    assert unexplained("frobnicated neurons") == {"frobnicated"}


def test_the_glossary_has_the_headings_of_what_the_verbs_print(capsys):
    digits = shipped_digits()
    net = nd.load(digits.network)
    recording = nd.run(net, digits.inputs[:4], record=("spikes", "u", "v"))
    headings = {
        heading
        for listing in nd.compare(recording, recording).listings()
        for heading in (*listing.head, *(str(row[0]) for row in listing.rows))
        if heading not in {population.name for population in net.populations}
    }
    for verb in (["inspect", str(digits.network)], ["fit", str(digits.network)]):
        with pytest.raises(SystemExit, match="0"):
            main(verb)
        headings |= set(re.split(r"\s{2,}|\n", capsys.readouterr().out.split("0_dense")[0]))
    assert len(headings) > 20
    assert not {heading: found for heading in headings if (found := unexplained(heading))}


def test_the_reference_names_what_is_public():
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    assert {name for name in nd.__all__ if name[0] != "_"} <= set(re.findall(r"nd\.(\w+)", page))
    for room, base in ((neurons, neurons.Neuron), (synapses, synapses.Synapse)):
        for name in room.__all__:
            one = getattr(room, name)
            if isinstance(one, type) and issubclass(one, base) and one is not base:
                assert f"::: neurodeploy.network.{room.__name__.split('.')[-1]}.{name}\n" in page
    for target in re.findall(r"^::: (\S+)", page, re.MULTILINE):
        if is_module(target):
            continue
        module, _, name = target.rpartition(".")
        if module.startswith("neurodeploy.training") and not HAS_TORCH:
            continue
        assert hasattr(importlib.import_module(module), name), target


def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_the_overview_of_extensions_names_every_group_of_entry_points():
    page = (DOCS / "plugins.md").read_text(encoding="utf-8")
    registries: tuple[Registry, ...] = (BACKENDS, FORMATS, NEURONS, TARGETS)
    assert all(f"`{registry.group}`" in page for registry in registries)


def test_version_and_citation_agree():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {nd.__version__}\n" in text
    assert nd.__version__ in (DOCS / "citing.md").read_text(encoding="utf-8")


def test_workflows_call_what_is_there():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra docs brings")
    folder = ROOT / ".github" / "workflows"
    runs = []
    for path in folder.glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            assert job["timeout-minutes"]
            runs += [step["run"] for step in job["steps"] if "run" in step]
    assert len(runs) > 10
    for path in re.findall(r"\b((?:scripts|sim_tests)/\w+)", "\n".join(runs)):
        assert (ROOT / path).exists(), path
    extras = set(re.findall(r"EXTRAS=([\w,-]+)", "\n".join(runs)))
    project = (ROOT / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in project for listed in extras for extra in listed.split(","))


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install '.[docs]'")
    pytest.importorskip("mkdocstrings", reason="needs mkdocstrings: pip install '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "reference" / "cli.html").read_text(encoding="utf-8")
    names = [verb.__name__.replace("_", "-") for verb in VERBS]
    assert [name for name in names if f'id="{name}"' not in page] == []
    api = (tmp_path / "site" / "reference" / "api.html").read_text(encoding="utf-8")
    assert "<math" in api
    assert ".. math::" not in api
    assert "Train in snnTorch" in (tmp_path / "site" / "tutorials" / "snntorch.html").read_text()
