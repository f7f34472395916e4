"""Traces: what a call did, and when. OpenTelemetry itself is imported only where traces are switched on."""
