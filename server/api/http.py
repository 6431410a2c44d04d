"""The API as one aiohttp application: every face, behind the same limits and the same keys."""

from aiohttp import web

from server.api.auth import bearer_keys
from server.api.body import MAX_BODY_BYTES
from server.api.health import Readiness, health_routes
from server.api.keys import KeyRing
from server.api.native import NativeCalls
from server.api.problem import problems
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.settings import Settings

SHUTDOWN_S = 2.0


def build_http(
    store: CallStore, workflow: CallWorkflow, settings: Settings, readiness: Readiness
) -> web.Application:
    """Compose the application; `start_http` serves it."""
    keys = KeyRing(store.engine)
    application = web.Application(
        middlewares=[problems, bearer_keys(keys)], client_max_size=MAX_BODY_BYTES
    )
    native = NativeCalls(store, workflow, settings)
    application.add_routes(native.routes())
    application.add_routes(health_routes(store, readiness))
    return application


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
