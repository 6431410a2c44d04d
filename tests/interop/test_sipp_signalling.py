"""Calls to and from SIPp, each scenario checked on its side by SIPp itself."""

import asyncio
import socket
from pathlib import Path

import pytest

from server.sip.agent import Address, Credentials, UserAgent
from server.sip.events import Answered, Canceled, Ended, Established, Failed, IncomingInvite
from server.sip.transport import SipEndpoint

HOST = "127.0.0.1"
SCENARIOS = Path(__file__).parent / "sipp"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\n"
)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


async def sipp(port, *arguments):
    return await asyncio.create_subprocess_exec(
        *("sipp", "-i", HOST, "-p", str(port), "-m", "1", "-nostdin", "-timeout", "20s"),
        *("-timeout_error", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def assert_satisfied(process):
    output, _ = await asyncio.wait_for(process.communicate(), 30.0)
    assert process.returncode == 0, output.decode("utf-8", "replace")[-3000:]


class Phone:
    """Our endpoint with a queue of events."""

    def __init__(self):
        self.events = asyncio.Queue()
        self.agent = UserAgent(local=Address(HOST, 0), allow_inbound=True)

    async def open(self):
        self.endpoint = await SipEndpoint.bind(self.agent, HOST, 0, self.events.put_nowait)

    async def event(self, *kinds):
        async with asyncio.timeout(15.0):
            while not isinstance(event := await self.events.get(), kinds):
                pass
        return event

    def call(self, port, credentials=None):
        call_id = self.agent.invite(
            target=f"sip:callee@{HOST}:{port}",
            destination=Address(HOST, port),
            from_uri="sip:offhook@trunk.example",
            sdp=SDP,
            credentials=credentials,
            now=self.endpoint.now(),
        )
        self.endpoint.flush()
        return call_id

    def hang_up(self, call_id):
        self.agent.hang_up(call_id, self.endpoint.now())
        self.endpoint.flush()


@pytest.fixture
async def phone():
    phone = Phone()
    await phone.open()
    yield phone
    phone.endpoint.close()
    await asyncio.sleep(0)


async def test_we_call_sipp_and_hang_up(phone):
    port = free_port()
    callee = await sipp(port, "-sn", "uas")
    call_id = phone.call(port)
    assert b"m=audio" in (await phone.event(Answered)).sdp
    phone.hang_up(call_id)
    await assert_satisfied(callee)


async def test_sipp_calls_us_and_hangs_up(phone):
    local = phone.agent.local
    caller = await sipp(free_port(), "-sn", "uac", "-d", "200", f"{local.host}:{local.port}")
    incoming = await phone.event(IncomingInvite)
    phone.agent.ring(incoming.call_id, phone.endpoint.now())
    phone.agent.answer(incoming.call_id, SDP, phone.endpoint.now())
    phone.endpoint.flush()
    await phone.event(Established)
    assert (await phone.event(Ended)).by == "remote"
    await assert_satisfied(caller)


async def test_sipp_challenges_us_and_verifies_the_answer(phone):
    port = free_port()
    callee = await sipp(port, "-sf", str(SCENARIOS / "challenging_uas.xml"))
    call_id = phone.call(port, Credentials("trunk-user", "trunk-secret"))
    assert isinstance(await phone.event(Answered, Failed), Answered)
    phone.hang_up(call_id)
    await assert_satisfied(callee)


async def test_sipp_calls_us_and_gives_up(phone):
    local = phone.agent.local
    scenario = str(SCENARIOS / "canceling_uac.xml")
    caller = await sipp(free_port(), "-sf", scenario, f"{local.host}:{local.port}")
    incoming = await phone.event(IncomingInvite)
    phone.agent.ring(incoming.call_id, phone.endpoint.now())
    phone.endpoint.flush()
    await phone.event(Canceled)
    await assert_satisfied(caller)
