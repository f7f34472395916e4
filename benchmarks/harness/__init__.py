"""What all benchmarks share: servers, processes, what a result file says, tables. Imports no benchmark."""
