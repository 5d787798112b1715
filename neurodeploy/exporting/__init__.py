"""From a trained module to a file that runs: read it, measure it, write it, verify it."""
