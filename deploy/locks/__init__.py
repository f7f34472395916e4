"""What is installed, by version and hash: a lock for each way to install."""
