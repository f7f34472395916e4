"""Calls, results and models in the domain's own types, without protobuf.

`convert` reads calls from the wire and writes results and models to it.
"""
