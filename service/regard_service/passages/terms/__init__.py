"""Finds the terms of a glossary in a text, and where two of them contradict each other."""
