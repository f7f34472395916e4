"""A server inside this process: `regard.local()`, and commands that find no other server."""
