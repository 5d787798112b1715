"""The page of all systems is made from their results, and each result says what made it."""

from __future__ import annotations

import re

import pytest

from examples.shared import FOLDER, InputError, Result
from examples.table import COLUMNS, page, results


def test_the_page_is_made_from_the_results():
    found = results()
    assert found
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == page(found)


def test_each_result_says_which_commit_made_it():
    for name, result in results().items():
        assert re.fullmatch("[0-9a-f]{12}", result.commit), name
        assert result.command.startswith("python "), name
        assert (FOLDER / name / "README.md").is_file()
        assert result.figures, name
        assert all(getattr(result, column) for column in COLUMNS), name


def test_another_result_makes_another_page():
    found = results()
    name, first = next(iter(found.items()))
    other = Result(**{**vars(first), "integers": "another figure"})
    assert page({**found, name: other}) != page(found)


def test_what_is_no_result_is_refused(tmp_path):
    path = tmp_path / "result.json"
    for text in ("{", "{}", '{"colour": 1}'):
        path.write_text(text)
        with pytest.raises(InputError, match="no result"):
            Result.read(path)
