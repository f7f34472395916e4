"""What the type of a setting does not say."""

import ipaddress
from collections.abc import Iterable, Mapping

_NO_NAME = ("/", ":", "@", " ")


def check_text(value: object) -> None:
    """Raises ValueError for an empty text, and for one that no system call takes."""
    if not isinstance(value, str):
        return
    if not value.strip():
        raise ValueError("must not be empty")
    if "\0" in value:
        raise ValueError("must not contain the character NUL")


def check_parts(values: Iterable[object]) -> None:
    """Checks the texts of a list or of a table. Raises ValueError."""
    for value in values:
        try:
            check_text(value)
        except ValueError as error:
            raise ValueError(f"each part {error}") from None


def check_host_names(names: Iterable[str]) -> None:
    """Raises ValueError for an address of a page in place of a name."""
    for name in names:
        if any(each in name for each in _NO_NAME) and not _is_address(name.strip("[]")):
            raise ValueError(f"{name!r} must be a name without scheme, port and path, such as 'example.org'")


def check_ports(ports: Mapping[str, int | None]) -> None:
    """Raises ValueError if two are the same port. 0 is a free port."""
    by_port: dict[int, str] = {}
    for name, port in ports.items():
        if port and by_port.setdefault(port, name) != name:
            raise ValueError(f"{by_port[port]} and {name} must differ (both are {port})")


def check_order(less: str, less_value: float | None, more: str, more_value: float) -> None:
    """Raises ValueError if the value that should be less is more. None stands for an unset one."""
    if less_value is not None and less_value > more_value:
        raise ValueError(f"{less} must be at most {more} (they are {less_value:g} and {more_value:g})")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
