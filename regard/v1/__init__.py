"""Stubs of the API, generated from proto/regard/v1/regard.proto by `make proto`. Never edited."""
