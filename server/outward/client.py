"""The one HTTP client for URLs that users give.

A name is resolved once, every address of it is checked, and the socket is opened to one of
those very addresses: a second answer of the name server changes nothing. `Host` and TLS keep
the name. No redirect is followed, no proxy and no cookie is used, nothing is decompressed, and
no connection outlives its request, so that every request is checked anew.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict

from server.outward.errors import (
    AddressRefused,
    OutwardBadReply,
    OutwardRefused,
    OutwardTimeout,
    OutwardUnreachable,
)
from server.outward.resolver import SystemResolver, result
from server.outward.rules import Address, OutwardRules, literal
from server.outward.target import Target, check_headers, parse_url

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MAX_REPLY_BYTES = 256 * 1024
MAX_HEADER_FIELDS = 64
MAX_HEADER_LINE_BYTES = 8190
MAX_ADDRESSES = 4
"""Of one name: it must not make us knock at a hundred doors."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
OWN_DEFAULTS = {"User-Agent": "Offhook", "Accept": "*/*"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case; of a repeated field the last one."""
    body: bytes
    """As it came: not decompressed, and at most `MAX_REPLY_BYTES` of it."""
    truncated: bool = False
    """Whether there was more."""


class OutwardClient:
    """Sends requests under one set of rules."""

    def __init__(
        self,
        rules: OutwardRules,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._resolver = resolver or SystemResolver()
        self._tls = tls or ssl.create_default_context()

    async def send(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        signature: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        """Send one request and read the answer, redirects included.

        headers: the user's. signature: ours (`server.calls.webhooks.signature`).
        timeout_s: for all of it, DNS included. Nothing is sent twice. Raises `OutwardError`.
        """
        target = parse_url(url, self._rules)
        check_headers(headers)
        fields = CIMultiDict(OWN_DEFAULTS)
        fields.update(headers)
        fields.update(signature)
        fields["Accept-Encoding"] = "identity"
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._addresses(target)
                return await self._exchange(method, target, addresses, fields, body)
        except TimeoutError:
            raise OutwardTimeout(f"no whole answer within {timeout_s:g} s") from None

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._resolver.close()

    async def _addresses(self, target: Target) -> tuple[Address, ...]:
        """What the host stands for; all of it must be allowed."""
        if target.address is not None:
            return (target.address,)
        try:
            found = await self._resolver.resolve(target.host, target.port, socket.AF_UNSPEC)
        except (OSError, UnicodeError):
            raise OutwardUnreachable("the host's name does not resolve") from None
        addresses = [literal(each["host"]) for each in found]
        if not addresses:
            raise OutwardUnreachable("the host's name does not resolve")
        checked = [a for a in addresses if a is not None and self._rules.allows(a, target.host)]
        if len(checked) < len(addresses):
            raise AddressRefused("the host's name leads to an address that this node does not call")
        return tuple(dict.fromkeys(checked))[:MAX_ADDRESSES]

    async def _exchange(
        self,
        method: Method,
        target: Target,
        addresses: tuple[Address, ...],
        fields: Mapping[str, str],
        body: bytes | None,
    ) -> Reply:
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(addresses),
            use_dns_cache=False,
            force_close=True,
            ssl=self._tls,
            socket_factory=partial(open_socket, frozenset(addresses)),
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                    trust_env=False,
                    auto_decompress=False,
                    max_headers=MAX_HEADER_FIELDS,
                    max_line_size=MAX_HEADER_LINE_BYTES,
                    max_field_size=MAX_HEADER_LINE_BYTES,
                    middlewares=(_once,),
                ) as session,
                session.request(
                    method, target.url, headers=fields, data=body, allow_redirects=False
                ) as response,
            ):
                return await _read(response)
        except aiohttp.InvalidURL:
            raise OutwardRefused("not a URL") from None
        except aiohttp.ClientResponseError:
            raise OutwardBadReply("the answer is not HTTP, or its header is too large") from None
        except aiohttp.ClientSSLError as error:
            raise OutwardUnreachable("no secure connection to the server") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutwardUnreachable("no connection to the server, or it broke off") from error


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Let no request go twice: aiohttp repeats a GET or PUT whose connection broke."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


async def _read(response: aiohttp.ClientResponse) -> Reply:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            break
    return Reply(
        response.status,
        {name.lower(): value for name, value in response.headers.items()},
        bytes(body[:MAX_REPLY_BYTES]),
        truncated=len(body) > MAX_REPLY_BYTES,
    )


def open_socket(allowed: frozenset[Address], where: aiohttp.AddrInfoType) -> socket.socket:
    """Open the socket that is connected next; the last look at where. Raises PermissionError."""
    family, kind, protocol, _, address = where
    if literal(str(address[0])) not in allowed:
        # An OSError, since the race between several addresses takes no other.
        raise PermissionError("not one of the addresses that were checked")
    return socket.socket(family, kind, protocol)


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            result(
                host,
                str(address),
                port,
                socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to let go of."""
