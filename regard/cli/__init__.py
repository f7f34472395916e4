"""The command line: `regard translate "Where is it?" --to de`. Its parts are loaded when they are needed."""

from regard.cli.app import main

__all__ = ["main"]
