"""Names to addresses, by the system, on threads of its own."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS = 4


class SystemResolver(AbstractResolver):
    """getaddrinfo, which cannot be cancelled.

    The event loop's own threads look up trunks; a user's slow name server must not fill those.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="outward-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look a name up. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        return [result(host, address, port, kind) for kind, address in found]

    async def close(self) -> None:
        """Let the threads go as soon as their lookups end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def result(name: str, address: str, port: int, family: int) -> ResolveResult:
    """One address in aiohttp's form."""
    return ResolveResult(
        hostname=name, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=0
    )


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, str]]:
    flags = socket.AI_ADDRCONFIG
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=flags)
    return [(kind, str(address[0])) for kind, _, _, _, address in found]
