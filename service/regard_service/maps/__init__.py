"""Attention as data: reducing maps, merging them to words, hard links, rollout, the wire's encodings. NumPy only."""
