"""What a server does with more load than it can carry: `python -m benchmarks.overload`."""
