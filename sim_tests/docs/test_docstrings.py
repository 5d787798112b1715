"""Every public name says what it takes, gives and refuses, and shows an example that runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import shutil
import textwrap
from functools import cached_property
from itertools import pairwise

import numpy as np
import pytest

import neurodeploy as nd
from sim_tests.conftest import ROOT


def returned_by(function):
    """The class that a public function gives, if it is one of ours."""
    name = function.__annotations__.get("return")
    return getattr(importlib.import_module(function.__module__), str(name), None)


def public_classes():
    from neurodeploy.network import Audit
    from neurodeploy.recording import PopulationRecord

    names = [getattr(nd, name) for name in nd.__all__]
    found = [value for value in names if inspect.isclass(value)]
    found += [returned_by(value) for value in names if inspect.isfunction(value)]
    found += [Audit, PopulationRecord]
    return list(dict.fromkeys(value for value in found if inspect.isclass(value)))


def members(owner):
    """What a class itself has under public names: plain functions, and getters of properties."""
    for name, value in vars(owner).items():
        if name.startswith("_"):
            continue
        if isinstance(value, (property, cached_property)):
            getter = value.fget if isinstance(value, property) else value.func
            yield name, getter, True
        elif isinstance(value, (classmethod, staticmethod)):
            yield name, value.__func__, False
        elif inspect.isfunction(value):
            yield name, value, False


def public_names():
    found = {}
    for name in nd.__all__:
        value = getattr(nd, name)
        if inspect.isfunction(value):
            found[f"nd.{name}"] = (value, False)
    found |= {f"nd.plot.{name}": (getattr(nd.plot, name), False) for name in nd.plot.__all__}
    for owner in public_classes():
        found[owner.__name__] = (owner, False)
        for name, value, is_property in members(owner):
            found[f"{owner.__name__}.{name}"] = (value, is_property)
    return found


def raises_itself(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) for node in ast.walk(tree))


def lacking(value, is_property):
    """What the docstring of a public name lacks, in words."""
    text = inspect.getdoc(value) if inspect.isclass(value) else value.__doc__
    if not text:
        return ["a docstring"]
    if is_property:
        return []
    lines = [line.strip() for line in text.splitlines()]
    sections = {a for a, b in pairwise(lines) if a and b == "-" * len(a)}
    missing = {"Examples"} - sections
    if inspect.isfunction(value):
        parameters = [p for p in inspect.signature(value).parameters if p not in ("self", "cls")]
        if parameters:
            missing |= {"Parameters"} - sections
        head = text.partition("Parameters\n")[2].partition("Returns\n")[0]
        missing |= {f"parameter {p}" for p in parameters if p not in head}
        if value.__annotations__.get("return") != "None":
            missing |= {"Returns"} - sections
        if raises_itself(value):
            missing |= {"Raises"} - sections
    elif not issubclass(value, Exception):
        missing |= (
            {"Attributes", "Parameters"} - sections
            if not ({"Attributes", "Parameters"} & sections)
            else set()
        )
    return sorted(missing)


def test_no_public_name_lacks_a_part_of_its_docstring():
    names = public_names()
    assert len(names) > 100
    found = {name: lacking(*value) for name, value in names.items()}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_the_count_sees_what_is_missing():
    def bare(x):
        """Say something."""
        raise ValueError(x)

    bare.__annotations__["return"] = "int"
    assert lacking(bare, False) == ["Examples", "Parameters", "Raises", "Returns", "parameter x"]


@pytest.fixture
def namespace(tmp_path, monkeypatch):
    """What the examples take for granted: the network of this repository, and a run of it."""
    shutil.copy(ROOT / "netx_exports" / "digits.net", tmp_path)
    monkeypatch.chdir(tmp_path)
    data = np.load(ROOT / "netx_exports" / "digits_test.npz")
    net, inputs = nd.load("digits.net"), data["inputs"][::18]
    rec = nd.run(net, inputs, record=("counts", "spikes", "v"))
    for name in ("a.h5", "b.h5"):
        rec.save(name)
    return {
        "nd": nd,
        "net": net,
        "inputs": inputs,
        "x": inputs,
        "spikes": rec["1_dense"].spikes,
        "labels": data["labels"][::18],
        "rec": rec,
    }


def test_examples_of_public_names_run_and_give_what_they_say(namespace):
    """Those that need a trained module or another backend say so, and are left out."""
    parser = doctest.DocTestParser()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    failures, ran = [], 0
    for name, (value, is_property) in public_names().items():
        text = inspect.getdoc(value)
        if is_property or not text:
            continue
        test = parser.get_doctest(text, dict(namespace), name, None, 0)
        said = []
        failed, tried = runner.run(test, out=said.append)
        ran += tried
        if failed:
            failures.append(name + "".join(said))
    assert failures == []
    assert ran > 60
