"""A facilitator on loopback: x402's own checks of real signatures; only the chain is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme
from x402.mechanisms.evm.types import TransactionReceipt
from x402.schemas import PaymentPayload, PaymentRequirements

USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
NETWORK = "eip155:8453"


@dataclass
class Chain:
    """A token contract: balances, used nonces, and every transfer that was made."""

    balances: dict[str, int] = field(default_factory=dict)
    used: set[tuple[str, bytes]] = field(default_factory=set)
    transfers: list[tuple[str, str, int]] = field(default_factory=list)

    def get_addresses(self) -> list[str]:
        return ["0x" + "f" * 40]

    def get_code(self, address: str) -> bytes:
        return b"\x01" if address.lower() == USDC.lower() else b""

    def read_contract(self, address: str, abi: Any, function: str, *args: Any) -> None:
        assert function == "transferWithAuthorization"
        self._check(*args)

    def write_contract(
        self, address: str, abi: Any, function: str, *args: Any, data_suffix: str | None = None
    ) -> str:
        self._check(*args)
        payer, to, value, _, _, nonce, *_ = args
        self.used.add((payer.lower(), nonce))
        self.balances[payer.lower()] -= value
        self.transfers.append((payer.lower(), to.lower(), value))
        return "0x" + f"{len(self.transfers):064x}"

    def wait_for_transaction_receipt(self, tx_hash: str) -> TransactionReceipt:
        return TransactionReceipt(status=1, block_number=1, tx_hash=tx_hash)

    def _check(self, payer: str, to: str, value: int, after: int, before: int, *rest: Any) -> None:
        if (payer.lower(), rest[0]) in self.used:
            raise ValueError("execution reverted: FiatTokenV2: authorization is used or canceled")
        if self.balances.get(payer.lower(), 0) < value:
            raise ValueError("execution reverted: ERC20: transfer amount exceeds balance")


@dataclass
class LocalFacilitator:
    """`/verify` and `/settle`, and what goes wrong there."""

    chain: Chain = field(default_factory=Chain)
    url: str = ""
    breaks: list[str] = field(default_factory=list)
    """For each settlement to come: `before` or `after` the transfer the connection breaks."""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._scheme = ExactEvmScheme(self.chain)  # type: ignore[arg-type]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        what = request.match_info["what"]
        self.asked.append(what)
        broken = self.breaks.pop(0) if what == "settle" and self.breaks else ""
        if broken == "before":
            return web.Response(status=502, text="bad gateway")
        payload = PaymentPayload.model_validate(body["paymentPayload"])
        requirements = PaymentRequirements.model_validate(body["paymentRequirements"])
        work = self._scheme.verify if what == "verify" else self._scheme.settle
        verdict = work(payload, requirements)
        if broken == "after":
            assert request.transport
            request.transport.abort()
        return web.json_response(verdict.model_dump(by_alias=True, exclude_none=True))


@asynccontextmanager
async def local_facilitator() -> AsyncIterator[LocalFacilitator]:
    """Serve one."""
    facilitator = LocalFacilitator()
    application = web.Application()
    application.router.add_post("/{what:verify|settle}", facilitator.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    facilitator.url = f"http://{host}:{port}"
    yield facilitator
    await runner.cleanup()
