"""What all benchmarks share: servers, processes, result files, tables. Imports no benchmark."""
