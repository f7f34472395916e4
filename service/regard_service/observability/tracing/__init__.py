"""Traces: the parts of a call and their times. OpenTelemetry is imported only if traces are switched on."""
