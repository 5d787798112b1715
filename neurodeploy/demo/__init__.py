"""The demo: train a small network, export it, run it everywhere, compare, price it."""
