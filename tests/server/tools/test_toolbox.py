"""Tools over real HTTP and SMTP servers on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from standardwebhooks import Webhook

from server.calls.policy.errors import NumberRefused
from server.calls.request import CallRequest
from server.calls.terms import CallTerms, terms
from server.calls.webhooks.signature import new_secret
from server.outward.client import OutwardClient
from server.outward.rules import OutwardRules
from server.sections import SmsSettings, SmtpSettings, ToolSettings
from server.settings import Settings
from server.tools.functions import Functions
from server.tools.messages import http_gateway
from server.tools.toolbox import ToolAnswer, Toolbox, ToolWorld

SECRET = new_secret()
CALLEE = "+14165550123"


@dataclass
class OperatorServer:
    """The operator's HTTP server: answers what it is told, and keeps what came."""

    url: str = ""
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        return self.answers.pop(0) if self.answers else web.json_response({"order": 7})


@pytest.fixture
async def operator() -> AsyncIterator[OperatorServer]:
    server = OperatorServer()
    application = web.Application()
    application.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[tuple[SmtpSettings, list[Envelope]]]:
    received: list[Envelope] = []

    class Handler:
        async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
            if any("refused" in to for to in envelope.rcpt_tos):
                return "550 no such mailbox"
            received.append(envelope)
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield (
        SmtpSettings(
            host="127.0.0.1", port=controller.port, sender="ava@vello.io", start_tls=False
        ),
        received,
    )
    controller.stop()


async def anyone(_number: str) -> None:
    """Every number may be reached."""


async def nobody(_number: str) -> None:
    raise NumberRefused("country_blocked", "this country is not allowed")


async def no_callback(_at: datetime, _note: str) -> str:
    raise AssertionError("nobody asked for it")


async def client_of() -> OutwardClient:
    return OutwardClient(OutwardRules.parse(["127.0.0.0/8"], allow_http=True))


def asked(**more: Any) -> CallTerms:
    task = {"goal": "Collect", "facts": {"payment_link": "https://pay.vello.io/154"}}
    request = CallRequest.model_validate(
        {"to": CALLEE, "from": "+16473705600", "task": task} | more
    )
    return terms(request, Settings())


Make = Callable[..., Toolbox]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    client = await client_of()

    def toolbox(settings: ToolSettings | None = None, **more: Any) -> Toolbox:
        settings = settings or ToolSettings()
        callback = more.pop("place_callback", no_callback)
        check = more.pop("check_number", anyone)
        send = http_gateway(client, settings.sms) if settings.sms else None
        functions = Functions(client, SECRET, settings.url)
        world = ToolWorld(settings, functions, send, check)
        return Toolbox(world, "call_1", asked(**more), UTC, callback)

    yield toolbox
    await client.close()


def order_status(url: str | None, **more: Any) -> dict[str, Any]:
    function = {"name": "order_status", "parameters": {"type": "object"}}
    return {"function": function, "url": url, **more}


async def test_a_function_is_called_with_a_signature_that_its_owner_can_check(
    make: Make, operator: OperatorServer
) -> None:
    box = make(tools=[order_status(operator.url + "/orders", headers={"X-Team": "a"})])
    answer = await box.use("order_status", {"id": 7})
    assert answer == ToolAnswer(True, {"order": 7})
    ((headers, body),) = operator.seen
    message = Webhook(SECRET).verify(body, {name.lower(): v for name, v in headers.items()})
    assert message["data"] == {"call_id": "call_1", "name": "order_status", "arguments": {"id": 7}}
    assert headers["X-Team"] == "a"


async def test_a_function_that_is_busy_is_asked_again_under_the_same_id(
    make: Make, operator: OperatorServer
) -> None:
    operator.answers = [web.Response(status=503)]
    box = make(tools=[order_status(operator.url)])
    assert (await box.use("order_status", {})).ok
    first, second = (headers["webhook-id"] for headers, _ in operator.seen)
    assert first == second
    await box.use("order_status", {})
    assert operator.seen[2][0]["webhook-id"] != first


@pytest.mark.parametrize("status", [302, 400, 404, 500])
async def test_an_answer_that_is_no_success_is_told_once(
    make: Make, operator: OperatorServer, status: int
) -> None:
    operator.answers = [web.Response(status=status, headers={"Location": "http://127.0.0.1/"})]
    answer = await make(tools=[order_status(operator.url)]).use("order_status", {})
    assert answer == ToolAnswer(False, f"the function answered {status}")
    assert len(operator.seen) == 1


async def test_a_function_may_answer_in_plain_text(make: Make, operator: OperatorServer) -> None:
    operator.answers = [web.Response(text="shipped on monday")]
    answer = await make(tools=[order_status(operator.url)]).use("order_status", {})
    assert answer == ToolAnswer(True, "shipped on monday")


async def test_a_slow_function_is_given_up(make: Make, operator: OperatorServer) -> None:
    box = make(tools=[order_status("http://127.0.0.1:9/", timeout_s=0.3)])
    answer = await box.use("order_status", {})
    assert not answer.ok


async def test_a_function_without_a_url_goes_to_the_nodes_own(
    make: Make, operator: OperatorServer
) -> None:
    box = make(ToolSettings(url=operator.url + "/tools"), tools=[order_status(None)])
    assert (await box.use("order_status", {})).ok
    assert not (await make(tools=[order_status(None)]).use("order_status", {})).ok


async def test_a_function_inside_the_network_is_not_called(make: Make) -> None:
    answer = await make(tools=[order_status("http://10.0.0.1/")]).use("order_status", {})
    assert not answer.ok


async def test_the_callee_is_sent_the_link_of_the_brief(
    make: Make, operator: OperatorServer
) -> None:
    box = make(ToolSettings(sms=SmsSettings(url=operator.url, token="t0k")))
    answer = await box.use("send_message", {"text": "Pay here: https://pay.vello.io/154"})
    assert answer == ToolAnswer(True, "sent")
    ((headers, body),) = operator.seen
    assert headers["Authorization"] == "Bearer t0k"
    assert body == (
        b'{"from":"+16473705600","to":"+14165550123","text":"Pay here: https://pay.vello.io/154"}'
    )


async def test_a_link_that_a_voice_made_up_is_not_sent(
    make: Make, operator: OperatorServer
) -> None:
    box = make(ToolSettings(sms=SmsSettings(url=operator.url)))
    answer = await box.use("send_message", {"text": "Pay here: https://evil.example/154"})
    assert not answer.ok
    assert operator.seen == []


async def test_only_named_contacts_are_texted(make: Make, operator: OperatorServer) -> None:
    box = make(ToolSettings(sms=SmsSettings(url=operator.url)), contacts={"joe": "+16475550111"})
    assert (await box.use("send_sms", {"to": "joe", "text": "Call Bobby"})).ok
    assert not (await box.use("send_sms", {"to": "+19005550100", "text": "x"})).ok
    assert len(operator.seen) == 1


async def test_the_rules_about_numbers_hold_for_texts(make: Make, operator: OperatorServer) -> None:
    box = make(ToolSettings(sms=SmsSettings(url=operator.url)), check_number=nobody)
    answer = await box.use("send_message", {"text": "Hello"})
    assert answer == ToolAnswer(False, "this country is not allowed")
    assert operator.seen == []


async def test_without_a_gateway_a_text_is_an_honest_failure(make: Make) -> None:
    assert not (await make().use("send_message", {"text": "Hello"})).ok


async def test_an_email_goes_to_a_contact(
    make: Make, mailbox: tuple[SmtpSettings, list[Envelope]]
) -> None:
    smtp, received = mailbox
    box = make(ToolSettings(smtp=smtp), contacts={"joe": "joe@vello.io"})
    given = {"to": "joe", "subject": "Bobby\r\nBcc: joe@vello.io", "text": "He refused."}
    assert await box.use("send_email", given) == ToolAnswer(True, "sent")
    (envelope,) = received
    message = message_from_bytes(envelope.content or b"")
    assert envelope.rcpt_tos == ["joe@vello.io"]
    assert message["Subject"] == "Bobby Bcc: joe@vello.io"
    assert message["Bcc"] is None
    assert "He refused." in message.get_payload()


async def test_a_mailbox_that_refuses_is_told(
    make: Make, mailbox: tuple[SmtpSettings, list[Envelope]]
) -> None:
    box = make(ToolSettings(smtp=mailbox[0]), contacts={"joe": "refused@vello.io"})
    given = {"to": "joe", "subject": "x", "text": "y"}
    assert await box.use("send_email", given) == ToolAnswer(False, "the e-mail was not accepted")


async def test_an_escalation_reaches_the_operators_people(
    make: Make, mailbox: tuple[SmtpSettings, list[Envelope]]
) -> None:
    smtp, received = mailbox
    box = make(ToolSettings(smtp=smtp, escalation="joe@vello.io"))
    given = {"rule": "If refused, email joe", "summary": "Bobby refused to pay."}
    assert (await box.use("escalate", given)).ok
    text = message_from_bytes(received[0].content or b"").get_payload()
    assert "Bobby refused to pay." in text
    assert "call_1" in text


async def test_the_operators_own_escalation_comes_first(
    make: Make, operator: OperatorServer
) -> None:
    function = {"name": "escalate_to_crm", "parameters": {"type": "object"}}
    box = make(tools=[{"function": function, "url": operator.url}])
    assert (await box.use("escalate", {"rule": "r", "summary": "s"})).ok
    assert len(operator.seen) == 1


async def test_a_callback_is_scheduled_for_the_time_that_was_said(make: Make) -> None:
    placed: list[tuple[datetime, str]] = []

    async def place(at: datetime, note: str) -> str:
        placed.append((at, note))
        return "call_2"

    box = make(place_callback=place)
    answer = await box.use("schedule_callback", {"when": "tomorrow at five pm", "note": "pays"})
    ((at, note),) = placed
    assert answer == ToolAnswer(True, {"call_id": "call_2", "at": at.isoformat()})
    assert (at.hour, note) == (17, "pays")


async def test_a_callback_at_no_time_is_not_scheduled(make: Make) -> None:
    assert not (await make().use("schedule_callback", {"when": "whenever", "note": ""})).ok


async def test_an_unknown_tool_is_an_answer_too(make: Make) -> None:
    assert not (await make().use("format_disk", {})).ok


async def test_a_tool_ends_with_its_call(make: Make) -> None:
    started = asyncio.Event()

    async def place(_at: datetime, _note: str) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    box = make(place_callback=place)
    use = asyncio.create_task(box.use("schedule_callback", {"when": "tomorrow", "note": ""}))
    await started.wait()
    use.cancel()
    with pytest.raises(asyncio.CancelledError):
        await use


async def test_what_goes_wrong_inside_is_no_crash(make: Make) -> None:
    box = make()
    box.world = replace(box.world, send_text=None)
    assert not (await box.use("send_message", {})).ok
