"""What doors cost: the throughput of one against that of gRPC, with the same texts."""
