"""Decides who may call: bearer tokens, their scopes and quotas. Knows neither gRPC nor HTTP."""
