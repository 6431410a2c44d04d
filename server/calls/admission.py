"""Whether this node takes a request at all. Stands before `CallWorkflow`."""

from server.calls.errors import Refused
from server.calls.request import CallRequest
from server.settings import Settings


def admit(request: CallRequest, settings: Settings) -> None:
    """Let pass what this node may place. Raises `Refused`."""
    if len(request.parties) > 1:
        raise Refused("to", "several numbers are not supported; give one number as a string")
    sip_uri = next((party for party in request.parties if party.startswith("sip:")), None)
    if sip_uri is not None and not settings.call.allow_sip_uri:
        raise Refused("to", "SIP URIs are not allowed here; give an E.164 number")
