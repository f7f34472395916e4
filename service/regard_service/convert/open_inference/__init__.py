"""Converts between the Open Inference Protocol and this server's own API and domain.

A request becomes one of regard.v1, and is then read and checked like any other.

    tensors     the input and the outputs of each model: docs/open-inference.md
    requests    requests as those of regard.v1
    responses   results as tensors
"""
