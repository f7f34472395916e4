"""Load scenarios and the generator that sends their calls; the command is `python -m deploy.loadtest`."""
