"""Requests over real sockets; only the name server is played by the test."""

import asyncio
import ssl
import subprocess
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest

from server.outward.client import MAX_REPLY_BYTES, Method, OutwardClient, open_socket
from server.outward.errors import (
    AddressRefused,
    OutwardBadReply,
    OutwardRefused,
    OutwardTimeout,
    OutwardUnreachable,
)
from server.outward.rules import OutwardRules
from tests.server.outward.receiver import (
    INSIDE,
    OK,
    OUTSIDE,
    RULES,
    TIMEOUT_S,
    Answers,
    header,
    receiver,
)


def client(*answers: list[str], rules: OutwardRules = RULES) -> OutwardClient:
    return OutwardClient(rules, Answers(*(answers or ([OUTSIDE],))))


async def test_a_request_arrives_as_it_was_given() -> None:
    async with receiver() as there:
        reply = await client().send(
            "PUT",
            f"http://hooks.example:{there.port}/a?b=c",
            headers={"X-Tenant": "7", "User-Agent": "mine"},
            signature={"webhook-id": "msg_1"},
            body=b"{}",
            timeout_s=TIMEOUT_S,
        )
    (request,) = there.requests
    assert request.startswith(b"PUT /a?b=c HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n{}")
    assert header(request, "host") == f"hooks.example:{there.port}"
    assert header(request, "x-tenant") == "7"
    assert header(request, "user-agent") == "mine"
    assert header(request, "webhook-id") == "msg_1"
    assert header(request, "accept-encoding") == "identity"
    assert (reply.status, reply.body, reply.truncated) == (200, b"ok", False)


async def test_a_name_that_moves_inside_after_the_check_is_not_followed_there() -> None:
    async with receiver() as outside, receiver(host=INSIDE, port=outside.port) as inside:
        names = Answers([OUTSIDE], [INSIDE])
        rebound = OutwardClient(RULES, names)
        url = f"http://rebind.example:{outside.port}/"
        await rebound.send("POST", url, body=b"1", timeout_s=TIMEOUT_S)
        assert names.asked == ["rebind.example"]
        with pytest.raises(AddressRefused):
            await rebound.send("POST", url, body=b"2", timeout_s=TIMEOUT_S)
    assert len(outside.requests) == 1
    assert inside.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        [INSIDE],
        [OUTSIDE, INSIDE],
        ["169.254.169.254"],
        ["0.0.0.0"],
        ["::1"],
        ["::ffff:127.0.0.2"],
        ["fe80::1%lo"],
        ["not an address"],
    ],
)
async def test_a_name_of_which_any_address_is_inside_is_refused(answer: list[str]) -> None:
    async with receiver() as there, receiver(host=INSIDE, port=there.port) as inside:
        with pytest.raises(AddressRefused) as refusal:
            await client(answer).send(
                "GET", f"http://hooks.example:{there.port}/", timeout_s=TIMEOUT_S
            )
    assert there.connections == inside.connections == 0
    assert not any(address in str(refusal.value) for address in answer)


async def test_the_last_look_before_connecting_refuses_what_was_not_checked() -> None:
    allowed = frozenset({ip_address(OUTSIDE)})
    async with receiver(host=INSIDE) as inside:
        for others in (["127.0.0.3"], ["127.0.0.3", INSIDE]):
            connector = aiohttp.TCPConnector(
                resolver=Answers(others), socket_factory=partial(open_socket, allowed)
            )
            async with aiohttp.ClientSession(connector=connector) as session:
                with pytest.raises(aiohttp.ClientConnectorError):
                    await session.get(f"http://hooks.example:{inside.port}/")
    assert inside.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_an_address_inside_is_refused_without_a_connection(host: str) -> None:
    async with receiver(host=INSIDE) as inside:
        with pytest.raises(OutwardRefused):
            await client().send("GET", f"http://{host}:{inside.port}/", timeout_s=TIMEOUT_S)
    assert inside.connections == 0


async def test_localhost_of_the_real_name_service_is_refused() -> None:
    async with receiver(host=INSIDE) as inside:
        real = OutwardClient(RULES)
        for name in ("localhost", "LOCALHOST", "ｌｏｃａｌｈｏｓｔ"):
            with pytest.raises(AddressRefused):
                await real.send("GET", f"http://{name}:{inside.port}/", timeout_s=TIMEOUT_S)
        await real.close()
    assert inside.connections == 0


async def test_a_name_that_the_operator_allows_may_lead_inside() -> None:
    rules = OutwardRules.parse(["crm.internal"], allow_http=True)
    async with receiver(host=INSIDE) as inside:
        url = f"http://crm.internal:{inside.port}/"
        reply = await client([INSIDE], rules=rules).send("GET", url, timeout_s=TIMEOUT_S)
    assert reply.status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_the_answer_and_not_followed(status: int) -> None:
    async with receiver(host=INSIDE) as inside:
        answer = (
            f"HTTP/1.1 {status} Moved\r\nLocation: {inside.url}\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        async with receiver(answer) as there:
            reply = await client().send("GET", there.url, timeout_s=TIMEOUT_S)
    assert reply.status == status
    assert reply.headers["location"] == inside.url
    assert inside.connections == 0


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(host=INSIDE) as proxy, receiver() as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await client().send("GET", there.url, timeout_s=TIMEOUT_S)
    assert (proxy.connections, there.connections) == (0, 1)


async def test_every_request_has_a_connection_of_its_own_and_no_cookie() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with receiver(answer) as there:
        one = client()
        await one.send("GET", there.url, timeout_s=TIMEOUT_S)
        await one.send("GET", there.url, timeout_s=TIMEOUT_S)
    assert there.connections == 2
    assert header(there.requests[1], "cookie") is None


async def test_a_huge_body_is_cut_off_and_said_to_be() -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with receiver(endless) as there:
        reply = await client().send("GET", there.url, timeout_s=TIMEOUT_S)
    assert (len(reply.body), reply.truncated, reply.status) == (MAX_REPLY_BYTES, True, 200)
    assert sent < 100 * MAX_REPLY_BYTES


async def test_a_compressed_body_stays_compressed() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    async with receiver(answer) as there:
        reply = await client().send("GET", there.url, timeout_s=TIMEOUT_S)
    assert reply.body == b"abc"


async def test_a_body_that_never_ends_runs_into_the_timeout() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await writer.drain()
        await asyncio.Event().wait()

    async with receiver(drip) as there:
        with pytest.raises(OutwardTimeout):
            await client().send("GET", there.url, timeout_s=0.2)


async def test_a_name_server_that_never_answers_runs_into_the_timeout() -> None:
    class Silent(Answers):
        async def resolve(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]
            await asyncio.Event().wait()
            return []

    with pytest.raises(OutwardTimeout):
        await OutwardClient(RULES, Silent()).send("GET", "http://slow.example/", timeout_s=0.05)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"a" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["not HTTP", "long field", "many fields", "long status line", "bad length"],
)
async def test_an_answer_beyond_the_limits_is_no_answer(answer: bytes) -> None:
    async with receiver(answer) as there:
        with pytest.raises(OutwardBadReply):
            await client().send("POST", there.url, body=b"", timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half a header", "half a body"],
)
async def test_a_connection_that_breaks_off_is_unreachable(answer: bytes) -> None:
    async with receiver(answer) as there:
        with pytest.raises(OutwardUnreachable):
            await client().send("POST", there.url, body=b"", timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_request_is_sent_once_even_if_the_connection_breaks(method: Method) -> None:
    async with receiver(b"") as there:
        with pytest.raises(OutwardUnreachable):
            await client().send(method, there.url, timeout_s=TIMEOUT_S)
    assert len(there.requests) == 1


async def test_a_closed_port_is_unreachable() -> None:
    async with receiver() as there:
        pass
    with pytest.raises(OutwardUnreachable):
        await client().send("POST", there.url, timeout_s=TIMEOUT_S)


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    with pytest.raises(OutwardUnreachable, match="resolve"):
        await client([]).send("POST", "http://nowhere.example/", timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil"}, {"X-A": "b\r\nHost: evil"}, {"webhook-signature": "v1,forged"}]
)
async def test_a_forged_header_is_refused_before_connecting(headers: dict[str, str]) -> None:
    async with receiver() as there:
        with pytest.raises(OutwardRefused):
            await client().send("POST", there.url, headers=headers, timeout_s=TIMEOUT_S)
    assert there.connections == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of hooks.example."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(),
            *"-days 2 -subj /CN=hooks.example".split(),
            *"-addext subjectAltName=DNS:hooks.example".split(),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


async def call_over_tls(certificate: Path, name: str, *, trusted: bool) -> list[str | None]:
    """Call a TLS server under a name; returns the names it was asked for in TLS."""
    asked: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _sock, server, _context: asked.append(server)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, OUTSIDE, 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    ours = ssl.create_default_context(cafile=str(certificate) if trusted else None)
    secure = OutwardClient(OutwardRules.parse([OUTSIDE]), Answers([OUTSIDE]), ours)
    try:
        reply = await secure.send("GET", f"https://{name}:{port}/", timeout_s=TIMEOUT_S)
        assert reply.body == b"ok"
    finally:
        server.close()
        await server.wait_closed()
    return asked


async def test_the_name_is_kept_although_an_address_is_connected_to(certificate: Path) -> None:
    assert await call_over_tls(certificate, "hooks.example", trusted=True) == ["hooks.example"]


async def test_a_certificate_of_another_name_is_refused(certificate: Path) -> None:
    with pytest.raises(OutwardUnreachable, match="secure"):
        await call_over_tls(certificate, "other.example", trusted=True)


async def test_a_certificate_of_nobody_is_refused(certificate: Path) -> None:
    with pytest.raises(OutwardUnreachable, match="secure"):
        await call_over_tls(certificate, "hooks.example", trusted=False)
