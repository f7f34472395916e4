"""The gRPC services. They stay thin: convert, call, convert back."""
