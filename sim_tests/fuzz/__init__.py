"""Damages files of every kind that neurodeploy reads, and sees how they are read.

Every damaged file must be read, or refused by a `NeurodeployError` of one line, within seconds and
in bounded memory. ``python -m sim_tests.fuzz --files 20000`` is the long run; `test_fuzz` a short
one.
"""
