"""OneShot with payments on: quote, 402, payment, 202; the library's client, a local facilitator."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from x402 import x402Client
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.exact.client import ExactEvmScheme

from server.sections import CostSettings, PaymentSettings
from server.settings import Settings
from tests.server.api.clients.oneshot import EXECUTION, QUOTE
from tests.server.api.clients.shape import misfits
from tests.server.calls.chain import NETWORK, LocalFacilitator, local_facilitator

PAY_TO = "0x" + "d" * 40
BODY = {"objective": "Make a dinner reservation for 2", "target_number": "+14155551234"}
PATH = "/v1/tools/voice/call"


@pytest.fixture
async def facilitator() -> AsyncIterator[LocalFacilitator]:
    async with local_facilitator() as facilitator:
        yield facilitator


@pytest.fixture
def settings(settings: Settings, facilitator: LocalFacilitator) -> Settings:
    payments = PaymentSettings(pay_to=PAY_TO, facilitator_url=facilitator.url)
    costs = CostSettings(per_call=0.4, margin=0.25)
    return settings.model_copy(update={"payments": payments, "costs": costs})


@pytest.fixture
def account(facilitator: LocalFacilitator) -> LocalAccount:
    account: LocalAccount = Account.create()
    facilitator.chain.balances[account.address.lower()] = 10_000_000
    return account


async def ask(node: Any, account: LocalAccount, **headers: str) -> tuple[int, Any, Any]:
    headers = {"X-Agent-ID": account.address, **headers}
    async with node.client.post(PATH, json=BODY, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def signed(required: str, account: LocalAccount) -> str:
    client = x402Client()
    client.register(NETWORK, ExactEvmScheme(account))
    payload = await client.create_payment_payload(decode_payment_required_header(required))
    return encode_payment_signature_header(payload)


async def test_the_first_request_is_answered_with_a_quote_that_can_be_paid(
    node: Any, account: LocalAccount, phone: Any
) -> None:
    status, body, headers = await ask(node, account)
    assert status == 402
    assert misfits({name: body[name] for name in QUOTE}, QUOTE) == []
    assert body["total_cost_usd"] == 0.5
    assert body["x402Version"] == 2
    assert body["accepts"][0]["payTo"] == PAY_TO
    assert "PAYMENT-REQUIRED" in headers
    assert phone.dialled == []


async def test_the_same_request_with_its_payment_places_the_call_once(
    node: Any, account: LocalAccount, phone: Any, facilitator: LocalFacilitator
) -> None:
    _, quote, headers = await ask(node, account)
    payment = {
        "PAYMENT-SIGNATURE": await signed(headers["PAYMENT-REQUIRED"], account),
        "X-Quote-ID": quote["quote_id"],
    }
    first, again = await ask(node, account, **payment), await ask(node, account, **payment)
    assert first[0] == again[0] == 202
    assert misfits(first[1], EXECUTION) == []
    assert first[1] == again[1]
    assert "PAYMENT-RESPONSE" in first[2]
    assert len(phone.dialled) == 1
    assert [amount for _, _, amount in facilitator.chain.transfers] == [500_000]


async def test_a_client_of_x402_that_knows_no_quotes_can_pay(
    node: Any, account: LocalAccount, phone: Any
) -> None:
    _, _, headers = await ask(node, account)
    signature = await signed(headers["PAYMENT-REQUIRED"], account)
    status, _, _ = await ask(node, account, **{"PAYMENT-SIGNATURE": signature})
    assert status == 202
    assert len(phone.dialled) == 1


async def test_a_payment_that_is_none_is_refused_in_this_documents_spelling(
    node: Any, account: LocalAccount, phone: Any
) -> None:
    status, body, _ = await ask(node, account, **{"PAYMENT-SIGNATURE": "nonsense"})
    assert (status, body["code"]) == (402, "payment_malformed")
    assert phone.dialled == []
