"""The query of a URL."""

from urllib.parse import parse_qsl

from regard_service.errors import InvalidInput
from regard_service.validation.texts import NOT_UTF8


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Returns the names and values of a query, in order.

    Raises:
        InvalidInput: it is not UTF-8. Starlette's own reader puts U+FFFD there, which a model would then read.
    """
    if not query:
        return []
    try:
        return parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeError:
        raise InvalidInput.of("request", f"the query {NOT_UTF8}") from None
