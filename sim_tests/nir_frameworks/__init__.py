"""Runs the frameworks that write NIR beside our float backend.

``python -m sim_tests.nir_frameworks`` does it all and renews docs/nir.md.

Each framework lives in an environment of its own (``benchmarks/make_peers nir-torch nir-sinabs
nir-rockpool nir-spyx``) and is run there, by `workers`, on graphs that `graphs` makes.
"""
