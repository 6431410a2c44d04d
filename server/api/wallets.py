"""Wallets in the place of keys: who pays for a call needs no other right to it.

A request to what is for sale that names its wallet (`X-Agent-ID`) and brings no key comes from
that wallet. It may be told a quote, pay it, and read the calls that it paid for. Nothing proves
the wallet until it pays, so how often strangers may ask is counted by where they come from.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import web

from server.api.errors import Problem
from server.api.ports import Stored
from server.api.scopes import PLACE
from server.calls.origin import Caller

AGENT_ID: Final = "X-Agent-ID"
A_MINUTE: Mapping[str, int] = {"POST": 20, "GET": 120}
"""Requests of one address without a key."""
MAX_ADDRESSES = 10_000
WINDOW_S = 60.0
KEY_ID_CHARS = 32
"""As wide as the columns that keep it; 100 bits of the wallet's address are in it."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")

WALLET: Final = web.RequestKey("wallet", str)
"""The wallet that a request came from, where it came without a key."""


class Turnstile:
    """Lets an address pass so many times a minute; of too many addresses it forgets the oldest."""

    def __init__(
        self, a_minute: int, now: Callable[[], float] = time.monotonic, most: int = MAX_ADDRESSES
    ) -> None:
        self._a_minute, self._now, self._most = a_minute, now, most
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """When the window of an address began, and how many passed in it."""

    def enter(self, address: str) -> None:
        """Count one. Raises `Problem` 429."""
        now = self._now()
        began, passed = self._windows.get(address, (now, 0))
        if now - began >= WINDOW_S:
            began, passed = now, 0
            del self._windows[address]
        if passed >= self._a_minute:
            after = {"Retry-After": str(int(began + WINDOW_S - now) + 1)}
            raise Problem(429, "rate-limited", "too many requests without a key", headers=after)
        self._windows[address] = began, passed + 1
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)


class Wallets:
    """Tells wallets by their requests."""

    def __init__(
        self, stored: Stored, deployment: str | None, for_sale: Collection[tuple[str, str]]
    ) -> None:
        """deployment: id or name, where their calls come from; for_sale: method and path."""
        self._stored, self._deployment, self._for_sale = stored, deployment, for_sale
        self._turnstiles = {method: Turnstile(most) for method, most in A_MINUTE.items()}

    async def caller(self, request: web.Request) -> Caller | None:
        """Whose wallet it is; None where a key is needed. Raises `Problem` 429."""
        if "Authorization" in request.headers or not self._is_for_sale(request):
            return None
        wallet = request.headers.get(AGENT_ID, "")
        if _ADDRESS.fullmatch(wallet) is None:
            return None
        self._turnstiles[request.method].enter(network_of(request.remote or ""))
        request[WALLET] = wallet.lower()
        return Caller(key_id(wallet), (PLACE,), await self._deployment_id())

    def _is_for_sale(self, request: web.Request) -> bool:
        resource = request.match_info.route.resource
        return resource is not None and (request.method, resource.canonical) in self._for_sale

    async def _deployment_id(self) -> str | None:
        if self._deployment is None:
            return None
        # What is not there is asked for all the same, and answered as a deployment that is gone.
        return await self._stored.deployment_id(self._deployment) or self._deployment


def key_id(wallet: str) -> str:
    """What stands for a wallet where keys are kept by their ids. wallet: an address, `0x…`."""
    return f"wallet_{wallet[2:].lower()}"[:KEY_ID_CHARS]


def network_of(address: str) -> str:
    """The address; of version 6 the network of 64 bits, which is one subscriber's."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
