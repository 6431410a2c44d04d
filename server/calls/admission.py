"""Whether this node takes a request at all, and what it fills in where the request is silent.

Stands before `CallWorkflow`; the rules about countries, hours and budgets belong here too.
"""

from server.calls.errors import Refused
from server.calls.model import CallRequest
from server.settings import Settings


def admit(request: CallRequest, settings: Settings) -> CallRequest:
    """Return the request with the node's defaults in place. Raises `Refused`."""
    if request.to.startswith("sip:") and not settings.call.allow_sip_uri:
        raise Refused("to", "SIP URIs are not allowed here; give an E.164 number")
    trunk = settings.trunk
    defaults = {
        "from_": trunk.caller_id if trunk else None,
        "agent_name": settings.agent.name,
        "max_duration_s": settings.call.max_duration_s,
        "record": settings.call.record,
    }
    silent = defaults.keys() - request.model_fields_set
    changes = {name: defaults[name] for name in silent}
    if not settings.call.record:
        changes["record"] = False
    return request.model_copy(update=changes)
