"""The gRPC services, thin: convert, call a handler, convert back."""
