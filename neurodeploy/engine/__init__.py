"""Networks step by step in the core, and networks in floats."""
