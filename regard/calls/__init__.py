"""Calls of a server: options and requests in, results and events out, over one channel."""
