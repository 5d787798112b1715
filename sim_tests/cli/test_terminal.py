"""What stands in a terminal: as wide as it is, no broken word, what is waited for."""

from __future__ import annotations

import io
import re
import sys
from time import perf_counter

import numpy as np
import pytest
from rich.console import Console

import neurodeploy as nd
from neurodeploy.backends import engine
from neurodeploy.cli.terminal import show, waiting
from neurodeploy.reporting.terminal import (
    audit_table,
    counts_table,
    network_table,
    placement_table,
)
from sim_tests.compare.test_compare import network_of


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [60, 100, 180])
def test_tables_are_as_wide_as_the_terminal(monkeypatch, width):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    from rich.table import Table

    table = Table("a")
    table.add_row("word " * 80)
    show(table)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert max(map(len, plain.splitlines())) == width


def test_no_word_of_a_title_is_broken():
    net = network_of()
    recording = nd.run(net, np.ones((1, 9, 8), np.int32), record=("counts",))
    for table in (network_table(net), counts_table([recording]), audit_table(net.audit)):
        out = Console(width=80, file=io.StringIO())
        out.print(table)
        said = out.file.getvalue()
        words = {w for column in table.columns for w in str(column.header).split()}
        assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_of_a_placement_is_no_wider_than_the_terminal(chip, width):
    placement = nd.fit(network_of(), chip)
    out = Console(width=width, file=io.StringIO())
    out.print(placement_table(placement))
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in out.file.getvalue()  # nothing is cut off
    if width < 80:
        return
    for used in placement.per_population:
        row = next(line for line in lines if line.split()[:1] == [used.population])
        figures = re.findall(r"([\d.]+) %(\*?)", row)
        told = [f"{percent:.1f}" for percent in used.percent.values()]
        assert [figure for figure, _ in figures] == told
        bound = [name for name, (_, mark) in zip(used.percent, figures, strict=True) if mark]
        assert bound == [used.binds]
    for name in placement.per_population[0].percent:
        assert all(any(word in line for line in lines) for word in name.split())


def test_a_terminal_hears_what_is_waited_for_and_a_file_does_not(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with waiting("exporting mynet"):
        pass
    assert "exporting mynet" in terminal.getvalue()
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    with waiting("exporting mynet"):
        pass
    assert plain.getvalue() == ""


def test_the_time_of_a_run_is_without_the_compiling(monkeypatch):
    def slow():
        start = perf_counter()
        while perf_counter() - start < 3:
            pass

    monkeypatch.setattr(engine, "library", slow)
    recording = nd.run(network_of(), np.ones((1, 9, 8), np.int32))
    assert recording.header.seconds < 3
