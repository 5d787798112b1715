"""Trained networks and published systems, each in a folder of its own; README.md has the table."""
