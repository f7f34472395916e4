"""Search: which tokens the slots of a running batch continue with. NumPy only; knows neither models nor time."""
