"""The second door: metrics and health over HTTP."""
