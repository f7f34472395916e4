"""Who a caller is, by address."""

import pytest

from regard_service.auth.address import caller_of_peer, forwarded_caller, networks

TRUSTED = networks(("10.0.0.0/8", "127.0.0.1", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        ("ipv4:1.2.3.4:50000", "1.2.3.4"),
        ("ipv4:1.2.3.4:50001", "1.2.3.4"),
        ("ipv6:[2001:db8:1:2:3::4]:50000", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2:9::%5D:1", "2001:db8:1:2::/64"),
        ("ipv6:[::ffff:1.2.3.4]:1", "1.2.3.4"),
        ("unix:", "unix:"),
        ("unknown", "unknown"),
    ],
)
def test_all_connections_of_an_address_are_one_caller(peer: str, caller: str) -> None:
    assert caller_of_peer(peer) == caller


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("ipv4:10.0.0.1:1", ["1.2.3.4"], "1.2.3.4"),
        ("ipv4:10.0.0.1:1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),  # the first is what the caller wrote
        ("ipv4:10.0.0.1:1", ["1.2.3.4, 10.0.0.7"], "1.2.3.4"),
        ("ipv4:10.0.0.1:1", ["1.2.3.4", "10.0.0.7"], "1.2.3.4"),
        ("ipv4:9.9.9.9:1", ["1.2.3.4"], "9.9.9.9"),  # not from a proxy
        ("ipv4:10.0.0.1:1", ["1.2.3.4, not an address"], "10.0.0.1"),
        ("ipv4:10.0.0.1:1", [], "10.0.0.1"),
        ("ipv6:[fd00::1]:1", ["2001:db8::5"], "2001:db8::/64"),
    ],
)
def test_only_trusted_proxies_forward_an_address(peer: str, forwarded: list[str], caller: str) -> None:
    assert forwarded_caller(peer, forwarded, TRUSTED) == caller
