"""Terms: whether they are used, where, and what they cost."""
