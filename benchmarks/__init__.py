"""Measures quality, speed and size of what Regard serves; README.md lists the commands and the results."""
