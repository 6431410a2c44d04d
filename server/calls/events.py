"""What happened in a call, numbered; the source of the event stream and of webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import to_json

LAST_EVENT = "call.ended"
"""Nothing follows it."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One event of one call. `seq` counts from 1 without gaps."""

    call_id: str
    seq: int
    type: str
    at: datetime
    data: Mapping[str, object]

    def json(self) -> str:
        """The event as it goes over the wire, without its number."""
        body = {"type": self.type, "call_id": self.call_id, "at": rfc3339(self.at)}
        return json_text({**body, "data": self.data})


def json_text(value: object) -> str:
    """JSON of whatever an event tells: no event is lost for what its data hold.

    inf and nan become null, and half a surrogate pair U+FFFD.
    """
    try:
        return to_json(value, serialize_unknown=True, inf_nan_mode="null").decode()
    except ValueError:  # text that no encoding has
        return to_json(_whole(value), serialize_unknown=True, inf_nan_mode="null").decode()


def _whole(value: object) -> object:
    """The same without lone surrogates, which no encoding has."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case Mapping():
            return {_whole(name): _whole(part) for name, part in value.items()}
        case list() | tuple():
            return [_whole(part) for part in value]
        case _:
            return value


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def rfc3339(at: datetime) -> str:
    """A moment in UTC to the microsecond, such as 2026-01-31T12:00:00.000000Z; sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
