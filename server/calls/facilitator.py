"""x402 on the wire: what is asked for, what a client signed, and who verifies and settles it.

Stands between `Payments` and the facilitator, which the operator chose: it may be anywhere,
also inside. Version 2 of the protocol, scheme `exact`, by EIP-3009 (`transferWithAuthorization`).
Needs the extra `payments`; imported only where `[payments]` is set.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError
from x402.http.utils import decode_payment_signature_header
from x402.mechanisms.evm.utils import get_asset_info
from x402.schemas import (
    PaymentPayload,
    PaymentRequired,
    PaymentRequirements,
    ResourceInfo,
    SettleResponse,
    VerifyResponse,
)

from server.calls.errors import PaymentRefused, PaymentUnsettled
from server.errors import SettingsInvalid
from server.outward.client import OutwardClient, Reply
from server.outward.errors import OutwardError
from server.outward.rules import OutwardRules
from server.sections import PaymentSettings

VERSION = 2
VERIFY_S = 20.0
SETTLE_S = 90.0
"""A transaction is waited for."""
MAX_HEADER_CHARS = 16_000
MAX_REASON_CHARS = 200
MICRO_DECIMALS = 6
DESCRIPTION = "A phone call"
"""All that a facilitator is told of it."""
QUOTE_ID = "quoteId"
PENDING = "settlement_pending"
"""The transaction was sent, and is not confirmed yet."""
_NATURAL = re.compile(r"[0-9]{1,78}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NONCE = re.compile(r"0x[0-9a-fA-F]{64}")
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))

Json = dict[str, JsonValue]
T = TypeVar("T", VerifyResponse, SettleResponse)


@dataclass(frozen=True, slots=True)
class Payment:
    """One authorization as a client signed it; whether the signature is right is not known."""

    document: Json
    """The whole payload, for the facilitator."""
    accepted: Json
    """The requirements that the client says it fulfils."""
    payer: str
    """In lower case, like all addresses here."""
    to: str
    value: int
    valid_after: int
    """Unix seconds, like `valid_before`."""
    valid_before: int
    nonce: str

    @property
    def quote_id(self) -> str | None:
        """The quote that it pays, as the requirements named it."""
        extra = self.accepted.get("extra")
        found = extra.get(QUOTE_ID) if isinstance(extra, dict) else None
        return found if isinstance(found, str) else None

    @property
    def reference(self) -> str:
        """What a token contract takes once: the payer's nonce, for this asset on this network."""
        asset = (self.accepted.get("network"), self.accepted.get("asset"))
        parts = [*(str(part).lower() for part in asset), self.payer, self.nonce]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


class Facilitator:
    """The facilitator of `[payments]`."""

    def __init__(self, settings: PaymentSettings, http: OutwardClient | None = None) -> None:
        """Raises `SettingsInvalid` for a token that cannot be signed for."""
        self._settings = settings
        self._url = settings.facilitator_url.rstrip("/")
        self._http = http or OutwardClient(OutwardRules(allow=EVERYWHERE, allow_http=True))
        try:
            self._asset = get_asset_info(settings.network, settings.asset)
        except ValueError as error:
            raise SettingsInvalid(f"payments.asset: {error}") from None
        by_permit = self._asset.get("asset_transfer_method") == "permit2"
        if by_permit or self._asset["decimals"] < MICRO_DECIMALS:
            raise SettingsInvalid("payments.asset: not a token with EIP-3009 and six decimals")

    async def close(self) -> None:
        """Let the client go."""
        await self._http.close()

    def requirements(self, micros: int, timeout_s: int, quote_id: str) -> Json:
        """What has to be signed for an amount of millionths of a dollar.

        Clients give the requirements back with their payment, and the quote's id in them.
        """
        asked = PaymentRequirements(
            scheme="exact",
            network=self._settings.network,
            asset=self._settings.asset,
            amount=str(micros * 10 ** (self._asset["decimals"] - MICRO_DECIMALS)),
            pay_to=self._settings.pay_to,
            max_timeout_seconds=timeout_s,
            extra={
                "name": self._asset["name"],
                "version": self._asset["version"],
                QUOTE_ID: quote_id,
            },
        )
        return _dump(asked)

    def required(self, requirements: Json, url: str) -> Json:
        """The body of a 402; `PAYMENT-REQUIRED` is the same in base64."""
        return _dump(
            PaymentRequired(
                x402_version=VERSION,
                error="payment required",
                resource=ResourceInfo(
                    url=url, description=DESCRIPTION, mime_type="application/json"
                ),
                accepts=[PaymentRequirements.model_validate(requirements)],
            )
        )

    async def verify(self, payment: Payment, requirements: Json) -> None:
        """Raises `PaymentRefused`, and `PaymentUnsettled` where the facilitator is no help."""
        reply = await self._post("verify", payment, requirements, VERIFY_S)
        verdict = _read(VerifyResponse, reply)
        if not verdict.is_valid:
            raise PaymentRefused("payment-invalid", _reason(verdict.invalid_reason))
        if verdict.payer is not None and verdict.payer.lower() != payment.payer:
            raise PaymentRefused("payment-foreign", "somebody else signed it")

    async def settle(self, payment: Payment, requirements: Json) -> Json:
        """Have the money moved; returns the facilitator's receipt.

        Raises `PaymentRefused` where it was not, `PaymentUnsettled` where that is not known.
        """
        reply = await self._post("settle", payment, requirements, SETTLE_S)
        receipt = _read(SettleResponse, reply)
        if receipt.success:
            return _dump(receipt)
        if receipt.error_reason == PENDING:
            raise PaymentUnsettled("the payment was sent, and is not confirmed yet")
        raise PaymentRefused("payment-failed", _reason(receipt.error_reason))

    async def _post(
        self, what: str, payment: Payment, requirements: Json, timeout_s: float
    ) -> Reply:
        body = {
            "x402Version": VERSION,
            "paymentPayload": payment.document,
            "paymentRequirements": requirements,
        }
        try:
            return await self._http.send(
                "POST",
                f"{self._url}/{what}",
                headers={"Content-Type": "application/json"},
                body=json.dumps(body).encode(),
                timeout_s=timeout_s,
            )
        except OutwardError as error:
            raise PaymentUnsettled(f"the facilitator does not answer: {error}") from error


def parse_payment(header: str) -> Payment:
    """Read a `PAYMENT-SIGNATURE`. Raises `PaymentRefused`."""
    if len(header) > MAX_HEADER_CHARS:
        raise PaymentRefused("payment-malformed", "the payment is too large")
    try:
        payload = decode_payment_signature_header(header)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise PaymentRefused("payment-malformed", "not base64 of an x402 payment") from None
    if not isinstance(payload, PaymentPayload) or payload.x402_version != VERSION:
        raise PaymentRefused("payment-malformed", f"only version {VERSION} of x402 is taken")
    signed = payload.payload.get("authorization")
    if not isinstance(signed, Mapping) or not isinstance(payload.payload.get("signature"), str):
        raise PaymentRefused("payment-malformed", "no signed EIP-3009 authorization")
    return Payment(
        _dump(payload),
        _dump(payload.accepted),
        payer=_part(signed, "from", _ADDRESS).lower(),
        to=_part(signed, "to", _ADDRESS).lower(),
        value=int(_part(signed, "value", _NATURAL)),
        valid_after=int(_part(signed, "validAfter", _NATURAL)),
        valid_before=int(_part(signed, "validBefore", _NATURAL)),
        nonce=_part(signed, "nonce", _NONCE).lower(),
    )


def _part(signed: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = signed.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise PaymentRefused("payment-malformed", f"authorization.{name}: not in the right form")
    return value


def _read(model: type[T], reply: Reply) -> T:
    """A facilitator's answer; a refusal may come with a status of its own."""
    try:
        if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return model.model_validate_json(reply.body)
    except ValidationError:
        pass
    raise PaymentUnsettled(f"the facilitator answered {reply.status}, and no verdict")


def _reason(text: str | None) -> str:
    printable = "".join(c for c in text or "no reason was given" if c.isprintable())
    return f"the facilitator says: {printable[:MAX_REASON_CHARS]}"


def _dump(model: Any) -> Json:
    plain: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain
