"""What a paper takes: CSV that adds up, LaTeX that is balanced and escaped, entries it cites."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import cli
from neurodeploy.chip.references import references_of
from neurodeploy.reporting.paper import bibtex_of, csv_of, latex_of, tex
from sim_tests.compare.test_compare import network_of


@pytest.fixture(scope="module")
def profiles():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    net = network_of()
    rec = nd.run(net, inputs, record=("counts",))
    return [nd.profile(rec, chip, nd.fit(net, chip)) for chip in ("loihi2", "loihi1-sanafe")]


def test_csv_holds_each_chip_and_population_with_its_exact_figures(profiles):
    rows = list(csv.DictReader(io.StringIO(csv_of(profiles))))
    assert [(row["chip"], row["population"]) for row in rows] == [
        (p.chip, name) for p in profiles for name in ("", "input", "hidden", "output")
    ]
    for profile, row in zip(profiles, rows[::4], strict=True):
        for name in ("energy_joules", "static_joules", "seconds_per_step", "synops"):
            assert float(row[name]) == getattr(profile, name)
        assert float(row["energy_low_joules"]) == profile.band.low_joules
        assert float(row["energy_delay_joule_seconds"]) == profile.energy_delay
    for profile, start in zip(profiles, (1, 5), strict=True):
        of_layers = sum(float(row["synops"]) for row in rows[start : start + 3])
        assert of_layers == pytest.approx(profile.synops)
        assert {row["energy_joules"] for row in rows[start : start + 3]} == {""}


def test_what_is_not_known_is_an_empty_cell(profiles):
    unknown = replace(profiles[0], energy_joules=float("nan"), band=None)
    row = next(csv.DictReader(io.StringIO(csv_of([unknown]))))
    assert (row["energy_joules"], row["energy_low_joules"]) == ("", "")


def test_latex_is_balanced_and_cites_only_what_bibtex_has(profiles):
    text = latex_of(profiles)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    columns = {line.count(" & ") for line in text.splitlines() if line.endswith(r"\\")}
    assert columns == {2, 5}
    cited = set(re.search(r"\\cite\{([^}]*)\}", text)[1].split(","))
    entries = re.findall(r"^@\w+\{(\w+),$", bibtex_of(profiles), re.MULTILINE)
    assert cited == set(entries) - {"neurodeploy"}
    assert {"davies2018", "sanafe"} <= cited


def test_names_from_files_are_text_for_latex(profiles):
    share = replace(profiles[0].per_population[0], name=r"\input{x} & 50% $_#")
    text = latex_of([replace(profiles[0], per_population=(share,))])
    assert r"\textbackslash{}input\{x\} \& 50\% \$\_\#" in text
    assert tex("1.2 µJ") == r"1.2 $\mu$J"


def test_no_doi_is_made_up(profiles):
    assert "doi" not in bibtex_of(profiles).lower()


def test_papers_are_found_by_what_a_source_names():
    found = references_of(
        ["Lowest: keyword spotting, arXiv:2510.13757", "Davies et al. 2018, p. 3"]
    )
    assert list(found) == ["davies2018", "arxiv2510_13757"]
    assert found["arxiv2510_13757"]["eprint"] == "2510.13757"
    assert references_of(["Assumed: 32 tiles"]) == {}


def test_the_command_line_prints_one_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nd.run(network_of(), np.ones((2, 9, 8), np.int32)).save("rec.h5")

    def call(*flags):
        with pytest.raises(SystemExit) as stop:
            cli.main(["profile", "rec.h5", "--chip", "loihi2,loihi1", *flags])
        return stop.value.code, *capsys.readouterr()

    status, out, _ = call("--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (status, {row["chip"] for row in rows}) == (0, {"loihi2", "loihi1"})
    assert r"\toprule" in call("--latex")[1]
    assert "@article{davies2018," in call("--bibtex")[1]
    status, out, said = call("--csv", "--json")
    assert (status, out) == (2, "")
    assert "--json and --csv: one is printed at a time" in said
