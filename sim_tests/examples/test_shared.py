"""What the examples share: errors in one line, results, commits."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from examples.shared import FOLDER, InputError, Result, beside_lava, case, commit, stated_errors
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source

SYSTEMS = ("tinyrsnn", "l2mu", "lsnn", "braille27")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.npz: not there; .*--cases"):
        case(argparse.Namespace(cases=tmp_path), "none.npz")


def test_errors_end_in_one_line_and_status_2(capsys):
    with pytest.raises(SystemExit) as end, stated_errors("some"):
        raise InputError("what, where, what to do")
    assert end.value.code == 2
    assert capsys.readouterr().err == "some: what, where, what to do\n"


@pytest.mark.parametrize("name", SYSTEMS)
def test_without_data_an_example_ends_in_one_line(name, tmp_path):
    pytest.importorskip("torch", reason="needs torch: the extra train")
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}.evaluate", "--cases", tmp_path]
        + (["--out", str(tmp_path)] if name == "braille27" else []),
        capture_output=True, text=True, check=False, cwd=FOLDER.parent,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch(rf"{name}: [^\n]+\n", done.stderr)


def test_a_result_is_read_back(tmp_path, monkeypatch):
    words = {n: n for n in Result.__dataclass_fields__ if n not in ("figures", "commit")}
    monkeypatch.setattr("examples.shared.commit", lambda folder: "0123456789ab")
    made = Result(**words, figures={"share": 0.123456789, "count": 1_000_000})
    back = Result.read(made.write(tmp_path))
    wanted = asdict(made) | {"commit": "0123456789ab"}
    wanted["figures"] = {"share": 0.123457, "count": 1_000_000}
    assert asdict(back) == wanted


def test_a_commit_says_whether_code_differs(monkeypatch):
    if not (FOLDER.parent / ".git").exists():
        pytest.skip("no working copy of git")
    answers = {"rev-parse": "0123456789ab", "status": ""}
    monkeypatch.setattr("examples.shared._git", lambda verb, *_: answers[verb])
    assert commit(FOLDER / "l2mu") == "0123456789ab"
    answers["status"] = "?? examples/l2mu/result.json"
    assert commit(FOLDER / "l2mu") == "0123456789ab"
    answers["status"] = " M examples/l2mu/network.py"
    assert commit(FOLDER / "l2mu") == "0123456789ab+"


def test_where_there_is_no_git_no_result_is_written(tmp_path, monkeypatch):
    def none(*_):
        raise FileNotFoundError("git")

    monkeypatch.setattr("examples.shared._git", none)
    with pytest.raises(InputError, match="no working copy"):
        commit(tmp_path)


def test_lava_beside_the_engine(lava):
    neuron = CubaLIF(1024, 205, 60)
    weight = 2 * np.random.default_rng(0).integers(-30, 60, (6, 9))
    net = Network(
        (Population("in", (9,), Source()), Population("out", (6,), neuron)),
        (Projection("in", "out", Dense(weight.astype(np.int32))),),
    )
    spikes = (np.random.default_rng(1).random((2, 30, 9)) < 0.3).astype(np.uint8)
    assert beside_lava(net, spikes) == "yes, 2 samples"
