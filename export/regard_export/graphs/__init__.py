"""Builds a bundle's graphs: one builder for every family of checkpoints."""
