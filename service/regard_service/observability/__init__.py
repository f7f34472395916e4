"""What operators see: logs, metrics, traces, and the watchdog of the engine."""
