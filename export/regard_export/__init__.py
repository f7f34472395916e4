"""From trained checkpoints to bundles that the server serves."""
