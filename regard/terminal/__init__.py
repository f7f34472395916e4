"""Attention in a terminal: an alignment as a grid of words, a caption as a small picture for each word."""

from regard.terminal.grid import print_alignment
from regard.terminal.regions import print_regions

__all__ = ["print_alignment", "print_regions"]
