"""Constraints on the next token of a request: one small class each, composed by `constraints`."""
