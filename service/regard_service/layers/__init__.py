"""What happens around every call, unary and streaming alike: the log's line, metrics, errors, the gate."""
