"""Who may call: bearer tokens with scopes and limits. Knows neither gRPC nor HTTP."""
