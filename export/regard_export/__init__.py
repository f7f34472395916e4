"""Exports trained checkpoints as bundles that the server runs."""
