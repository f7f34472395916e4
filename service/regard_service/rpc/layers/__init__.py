"""Layers around every call, unary and streaming alike."""
