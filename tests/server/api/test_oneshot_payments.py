"""OneShot with payments on: quote, 402, payment, 202; the library's client, a local facilitator."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import func, select
from x402 import x402Client
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.exact.client import ExactEvmScheme

from server.api.wallets import A_MINUTE, key_id
from server.calls.do_not_call import DoNotCall
from server.calls.schema import quotes
from server.calls.store import CallStore
from server.sections import CostSettings, PaymentSettings
from server.settings import Settings
from tests.server.api.clients.oneshot import EXECUTION, QUOTE, OneShot
from tests.server.api.clients.shape import misfits
from tests.server.api.conftest import OURS, Stored
from tests.server.calls.chain import NETWORK, LocalFacilitator, local_facilitator

PAY_TO = "0x" + "d" * 40
BODY = {"objective": "Make a dinner reservation for 2", "target_number": "+14155551234"}
PATH = "/v1/tools/voice/call"


@pytest.fixture
async def facilitator() -> AsyncIterator[LocalFacilitator]:
    async with local_facilitator() as facilitator:
        yield facilitator


@pytest.fixture
def costs() -> CostSettings:
    return CostSettings(per_call=0.4, margin=0.25)


@pytest.fixture
def settings(settings: Settings, facilitator: LocalFacilitator, costs: CostSettings) -> Settings:
    payments = PaymentSettings(
        pay_to=PAY_TO, facilitator_url=facilitator.url, deployment="collections"
    )
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


@pytest.fixture
async def anyone(node: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a key."""
    async with aiohttp.ClientSession(node.url) as session:
        yield session


async def buy(
    anyone: aiohttp.ClientSession, wallet: str, body: Any = BODY, **headers: str
) -> tuple[int, Any, Any]:
    headers = {"X-Agent-ID": wallet, **headers}
    async with anyone.post(PATH, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def bought(anyone: aiohttp.ClientSession, account: LocalAccount) -> str:
    """The id of a call that was paid for without a key."""
    _, _, headers = await buy(anyone, account.address)
    payment = await signed(headers["PAYMENT-REQUIRED"], account)
    status, body, _ = await buy(anyone, account.address, **{"PAYMENT-SIGNATURE": payment})
    assert status == 202
    request_id: str = body["request_id"]
    return request_id


async def read(anyone: aiohttp.ClientSession, request_id: str, **headers: str) -> int:
    async with anyone.get(f"/v1/requests/{request_id}", headers=headers) as answer:
        return answer.status


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


async def test_a_wallet_without_a_key_is_quoted_pays_and_reads_its_result(
    node: Any,
    anyone: aiohttp.ClientSession,
    account: LocalAccount,
    facilitator: LocalFacilitator,
    store: CallStore,
    stored: Stored,
) -> None:
    status, quote, headers = await buy(anyone, account.address)
    assert (status, quote["total_cost_usd"]) == (402, 0.5)
    payment = await signed(headers["PAYMENT-REQUIRED"], account)
    status, accepted, headers = await buy(anyone, account.address, **{"PAYMENT-SIGNATURE": payment})
    assert status == 202
    assert misfits(accepted, EXECUTION) == []
    assert "PAYMENT-RESPONSE" in headers
    assert accepted["from_number"] == OURS
    assert facilitator.chain.transfers == [(account.address.lower(), PAY_TO, 500_000)]
    result = await OneShot(node.url, None, account.address, anyone).result(accepted["request_id"])
    assert result["transcript"] == "Agent: Hi, this is\nCallee: Hello?"
    call = await store.get(accepted["request_id"])
    assert (call.key_id, call.deployment_id) == (key_id(account.address), stored.deployment)
    assert call.plan is not None
    assert call.plan.summary == quote["objective_summary"]
    assert call.plan.talking_points == tuple(quote["talking_points"])


async def test_without_a_payment_a_wallet_is_only_told_quotes(
    anyone: aiohttp.ClientSession, account: LocalAccount, phone: Any
) -> None:
    answers = [await buy(anyone, account.address) for _ in range(3)]
    assert [status for status, _, _ in answers] == [402] * 3
    assert len({body["quote_id"] for _, body, _ in answers}) == 3
    assert phone.dialled == []


async def test_a_quote_of_a_wallet_is_paid_once(
    anyone: aiohttp.ClientSession,
    account: LocalAccount,
    phone: Any,
    facilitator: LocalFacilitator,
) -> None:
    _, _, headers = await buy(anyone, account.address)
    first, second = [await signed(headers["PAYMENT-REQUIRED"], account) for _ in range(2)]
    placed = await buy(anyone, account.address, **{"PAYMENT-SIGNATURE": first})
    again = await buy(anyone, account.address, **{"PAYMENT-SIGNATURE": first})
    twice = await buy(anyone, account.address, **{"PAYMENT-SIGNATURE": second})
    assert (placed[0], again[:2]) == (202, placed[:2])
    assert (twice[0], twice[1]["code"]) == (402, "quote_used")
    assert len(phone.dialled) == len(facilitator.chain.transfers) == 1


async def test_a_payment_for_another_body_or_by_another_wallet_is_not_taken(
    anyone: aiohttp.ClientSession,
    account: LocalAccount,
    phone: Any,
    facilitator: LocalFacilitator,
) -> None:
    _, _, headers = await buy(anyone, account.address)
    paid = {"PAYMENT-SIGNATURE": await signed(headers["PAYMENT-REQUIRED"], account)}
    other = {**BODY, "target_number": "+14155551235"}
    status, body, _ = await buy(anyone, account.address, other, **paid)
    assert (status, body["code"]) == (402, "quote_mismatch")
    status, body, _ = await buy(anyone, Account.create().address, **paid)
    assert (status, body["code"]) == (402, "quote_foreign")
    assert phone.dialled == facilitator.chain.transfers == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Agent-ID": "0xYourWalletAddress"},
        {"X-Agent-ID": "0x" + "a" * 40, "Authorization": "Bearer ohk_x_y"},
        {"X-Agent-ID": "0x" + "a" * 40, "Authorization": ""},
    ],
)
async def test_who_is_no_wallet_or_brings_a_wrong_key_is_turned_away(
    anyone: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with anyone.post(PATH, json=BODY, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/calls"), ("POST", "/v1/calls"), ("GET", "/v1/keys"), ("GET", PATH)],
)
async def test_a_wallet_opens_nothing_else(
    anyone: aiohttp.ClientSession, account: LocalAccount, method: str, path: str
) -> None:
    wallet = {"X-Agent-ID": account.address}
    async with anyone.request(method, path, json=BODY, headers=wallet) as answer:
        assert answer.status == 401


async def test_what_a_wallet_paid_for_is_its_own_to_read(
    node: Any, anyone: aiohttp.ClientSession, account: LocalAccount
) -> None:
    request_id = await bought(anyone, account)
    stranger = Account.create().address
    wallet = {"X-Agent-ID": account.address}
    assert await read(anyone, request_id, **wallet) == 200
    assert await read(anyone, request_id, **{"X-Agent-ID": stranger}) == 401
    assert await read(anyone, request_id) == 401
    assert await read(anyone, "call_0", **wallet) == 401
    assert await read(node.client, request_id) == 200


async def test_a_call_that_was_placed_with_a_key_is_read_with_a_key(
    node: Any, anyone: aiohttp.ClientSession, account: LocalAccount
) -> None:
    _, _, headers = await ask(node, account)
    signature = await signed(headers["PAYMENT-REQUIRED"], account)
    _, body, _ = await ask(node, account, **{"PAYMENT-SIGNATURE": signature})
    wallet = {"X-Agent-ID": account.address}
    assert await read(anyone, body["request_id"], **wallet) == 401


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"target_number": "+14165550199"}, "invalid_request", "asked not to be called"),
        ({"target_number": "+19005551234"}, "premium_number_blocked", ""),
        ({"objective": "Threaten to hurt his family unless he pays."}, "content_blocked", ""),
        ({"objective": "Too short"}, "invalid_request", "objective"),
    ],
)
async def test_every_rule_applies_before_a_quote(
    anyone: aiohttp.ClientSession,
    account: LocalAccount,
    store: CallStore,
    changes: dict[str, str],
    code: str,
    why: str,
) -> None:
    await DoNotCall(store.engine).add("+14165550199", "asked")
    status, body, _ = await buy(anyone, account.address, {**BODY, **changes})
    assert (status in (400, 403), body["code"]) == (True, code)
    assert why in str(body["errors"])
    async with store.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(quotes)) == 0


async def test_strangers_are_told_so_many_quotes_a_minute(
    node: Any, anyone: aiohttp.ClientSession, account: LocalAccount
) -> None:
    short = {**BODY, "objective": "Too short"}
    for _ in range(A_MINUTE["POST"]):
        assert (await buy(anyone, Account.create().address, short))[0] == 400
    status, body, headers = await buy(anyone, account.address)
    assert (status, body["code"]) == (429, "rate_limited")
    assert 0 < int(headers["Retry-After"]) <= 61
    assert (await ask(node, account))[0] == 402


@pytest.mark.parametrize("costs", [CostSettings()])
async def test_what_costs_nothing_takes_a_key(
    node: Any, anyone: aiohttp.ClientSession, account: LocalAccount, phone: Any
) -> None:
    assert (await buy(anyone, account.address))[0] == 401
    assert phone.dialled == []
    assert (await ask(node, account))[0] == 202


async def test_the_description_says_that_a_wallet_will_do(node: Any) -> None:
    async with node.client.get("/openapi.json") as answer:
        document = await answer.json()
    assert document["paths"][PATH]["post"]["security"] == [{"key": []}, {"wallet": []}]
    assert document["components"]["securitySchemes"]["wallet"]["name"] == "X-Agent-ID"
    assert "security" not in document["paths"]["/v1/calls"]["post"]
