"""The command line: `regard translate "Where is it?" --to de`. Commands are loaded when they are called."""

from regard.cli.app import main

__all__ = ["main"]
