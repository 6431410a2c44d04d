"""Which addresses the node may call at a user's request."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
NUMBER_LABEL = re.compile(r"\d+|0x[0-9a-f]*")
"""A last label that makes resolvers read a host as an IPv4 address (WHATWG URL, 3.5)."""

# IANA's registries of special-purpose addresses; a list of our own, because `is_global` of the
# standard library differs between patch releases and takes multicast for global.
REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # one cloud's host agent, within public space
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
"""All that is assigned; outside are loopback, IPv4-mapped, NAT64, unique local, multicast."""
REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which embeds IPv4
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds IPv4
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class OutwardRules:
    """What the operator allows beyond HTTPS to public addresses."""

    allow: tuple[Network, ...] = ()
    """Addresses that may be called although they are not public."""
    allow_hosts: frozenset[str] = frozenset()
    """Names in lower case that may be called wherever they lead."""
    allow_http: bool = False
    """Whether requests may go unencrypted."""

    @classmethod
    def parse(cls, entries: Iterable[str], *, allow_http: bool = False) -> "OutwardRules":
        """Read addresses, networks and host names. Raises ValueError for anything else."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                hosts.add(_host(entry))
        return cls(tuple(networks), frozenset(hosts), allow_http)

    def allows(self, address: Address, host: str | None = None) -> bool:
        """Whether `address` may be connected to, as what `host` resolved to."""
        if host is not None and host.rstrip(".").lower() in self.allow_hosts:
            return True
        # A zone would pick the interface: such an address is never a public one.
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        return any(address in network for network in self.allow) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether an address is of the open internet, and embeds no other one."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    return address in GLOBAL_V6 and not any(address in network for network in REFUSED_V6)


def ends_in_number(host: str) -> bool:
    """Whether some resolvers would read a host as an IPv4 address: `127.1`, `0x7f000001`."""
    return NUMBER_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2].lower()) is not None


def literal(host: str) -> Address | None:
    """The address that a host is written as, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host(entry: str) -> str:
    name = entry.lower()
    if HOST.fullmatch(name) is None or ends_in_number(name):
        raise ValueError(f"{entry!r} is no address, network or host name")
    return name
