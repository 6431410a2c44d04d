"""The API as one aiohttp application: every face, behind the same limits and the same keys."""

from aiohttp import web

from server.api import oneshot, talktomyagent, voiceos
from server.api.auth import bearer_keys
from server.api.body import MAX_BODY_BYTES
from server.api.described import described
from server.api.health import Readiness, health_operations
from server.api.keys import KeyRing
from server.api.native import NativeCalls
from server.api.operation import Operation
from server.api.origins import Origins
from server.api.ports import Calls
from server.api.problem import by_codes, problems
from server.api.refusals import Refusals
from server.api.resources import resource_operations
from server.api.switchboard import Switchboard
from server.api.wallets import Wallets
from server.calls.audit import AuditLog
from server.calls.library import Library
from server.calls.payments import Payments, open_payments
from server.calls.retention import Retention
from server.calls.store import CallStore
from server.settings import Settings

SHUTDOWN_S = 2.0
FACES = {
    "/v1/tools/": by_codes(oneshot.CODES, dash="_"),
    "/v1/requests/": by_codes(oneshot.CODES, dash="_"),
    "/v1/voice/": by_codes(talktomyagent.CODES),
}
"""Beginnings of paths, and how errors are told there."""


def build_http(
    store: CallStore, calls: Calls, settings: Settings, readiness: Readiness
) -> web.Application:
    """Compose the application; `start_http` serves it. Raises `SettingsInvalid`."""
    stored = Library(store.engine)
    keys, audit = KeyRing(store.engine), AuditLog(store.engine)
    refusals = Refusals(audit)
    switchboard = Switchboard(store, calls, stored, Origins(stored), settings)
    payments = open_payments(store, settings.payments)
    known = [
        *operations(switchboard, Retention(store, audit, settings.data), payments),
        *resource_operations(switchboard, audit, keys),
        *health_operations(store, readiness),
    ]
    for_sale = {(one.method, one.path) for one in known if one.for_sale}
    deployment = settings.payments.deployment if settings.payments is not None else None
    wallets = Wallets(stored, deployment, for_sale)
    application = web.Application(
        middlewares=[problems(FACES), bearer_keys(keys, refusals, wallets)],
        client_max_size=MAX_BODY_BYTES,
    )
    application.add_routes(operation.route() for operation in described(known))
    application.on_cleanup.append(lambda _: refusals.close())
    if payments is not None:
        paid = payments
        application.on_cleanup.append(lambda _: paid.close())
    return application


def operations(
    switchboard: Switchboard, retention: Retention, payments: Payments | None
) -> list[Operation]:
    """Everything that calls are placed and read by."""
    faces = (
        NativeCalls(switchboard, retention),
        oneshot.VoiceTool(switchboard, payments),
        talktomyagent.VoiceCalls(switchboard),
        voiceos.Conversations(switchboard),
    )
    return [operation for face in faces for operation in face.operations()]


async def start_http(application: web.Application, settings: Settings) -> web.AppRunner:
    """Listen. `runner.addresses[0]` tells where; `await runner.cleanup()` ends it.

    aiohttp counts its keep-alive time from the start of a connection until a whole header
    has come, so it also cuts off clients that send theirs too slowly.
    Raises OSError where the port is taken.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        keepalive_timeout=settings.http.read_timeout_s,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.http.host, settings.http.port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
