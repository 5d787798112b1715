"""Each test of the core runs on every instruction set that this machine has."""

from __future__ import annotations

import pytest

from neurodeploy.core.library import units


@pytest.fixture(params=units())
def unit(request, monkeypatch):
    """Force one instruction set."""
    monkeypatch.setenv("NEURODEPLOY_ISA", request.param)
    return request.param
