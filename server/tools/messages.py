"""Text messages and e-mails to whom the operator allowed."""

from collections.abc import Awaitable, Callable
from email.message import EmailMessage

import aiosmtplib
from pydantic_core import to_json

from server.outward.client import OutwardClient
from server.outward.errors import OutwardError
from server.sections import SmsSettings, SmtpSettings
from server.tools.errors import ToolFailed, ToolUnavailable

TIMEOUT_S = 15.0

SendText = Callable[[str, str, str], Awaitable[None]]
"""Sends a text: from, to, text. Raises `ToolError`."""


def http_gateway(client: OutwardClient, settings: SmsSettings) -> SendText:
    """Text messages through the operator's HTTP gateway; `client` may call private addresses."""

    async def send(sender: str, to: str, text: str) -> None:
        token = settings.token.get_secret_value() if settings.token else None
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = to_json({"from": sender, "to": to, "text": text})
        try:
            reply = await client.send(
                "POST", settings.url, headers=headers, body=body, timeout_s=TIMEOUT_S
            )
        except OutwardError as error:
            raise ToolFailed("the text gateway was not reached") from error
        if not 200 <= reply.status < 300:
            raise ToolFailed(f"the text gateway answered {reply.status}")

    return send


async def send_mail(settings: SmtpSettings | None, to: str, subject: str, text: str) -> None:
    """Send one e-mail. Raises `ToolUnavailable` without `[tools.smtp]`, and `ToolFailed`."""
    if settings is None:
        raise ToolUnavailable("e-mail is not set up: tools.smtp is missing")
    message = EmailMessage()
    try:
        message["From"], message["To"] = settings.sender, to
        message["Subject"] = " ".join(subject.split())
        message.set_content(text)
        await aiosmtplib.send(
            message,
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            start_tls=settings.start_tls,
            timeout=TIMEOUT_S,
        )
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise ToolFailed("the e-mail was not accepted") from error
