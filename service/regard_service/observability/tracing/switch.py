"""Switches traces on or off, and imports OpenTelemetry only if they are on."""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

log = logging.getLogger(__name__)


class TracingUnavailable(Exception):
    """Traces are switched on, and OpenTelemetry is not installed."""


def open_tracing(
    endpoint: str | None, sample_ratio: float | None, environment: Mapping[str, str] = os.environ
) -> "Tracing | None":
    """Opens the tracing of calls; returns None if it is off.

    Args:
        endpoint: the collector's, from the settings. Without one, OpenTelemetry's own variables may name it.

    Raises:
        TracingUnavailable: the settings name an endpoint, and OpenTelemetry is not installed. An endpoint in the
            environment, which other programs share, only logs a warning.
    """
    if not _is_switched_on(endpoint, environment):
        return None
    try:
        from regard_service.observability.tracing.spans import Tracing
    except ModuleNotFoundError as error:
        message = f"traces need the extra 'otel': pip install 'regard[otel]' ({error.name} is missing)"
        if endpoint is not None:
            raise TracingUnavailable(message) from error
        log.warning("%s is set, but %s", _endpoint_variable(environment), message)
        return None
    return Tracing.to_endpoint(endpoint, sample_ratio)


def _is_switched_on(endpoint: str | None, environment: Mapping[str, str]) -> bool:
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_elsewhere = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "otlp"
    has_variable = _endpoint_variable(environment) is not None
    return not is_disabled and (endpoint is not None or (has_variable and not is_elsewhere))


def _endpoint_variable(environment: Mapping[str, str]) -> str | None:
    """Returns the variable that names a collector, or None."""
    return next((name for name in ENDPOINT_VARIABLES if environment.get(name)), None)
