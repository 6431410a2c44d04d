"""A call in the shape of the face that placed it: what webhooks are sent."""

from collections.abc import Mapping

from pydantic import JsonValue

from server.api import oneinbox, oneshot, voiceos
from server.api.wire import plain
from server.calls.agent import AgentConfig
from server.calls.model import Call
from server.sections import CostSettings


def shown(call: Call, config: AgentConfig, costs: CostSettings) -> Mapping[str, JsonValue]:
    """The call as JSON. TalkToMyAgent has no record of its own and gets the native one.

    config: what the call is held by.
    """
    match call.dialect:
        case "voiceos":
            return plain(voiceos.conversation(call, config))
        case "oneinbox":
            return plain(oneinbox.record(call, costs))
        case "oneshot":
            return plain(oneshot.job_result(call))
        case _:
            return plain(call)
