"""What the native face takes besides a `CallRequest`: queries and actions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel, field_validator

from server.api.paging import Paging
from server.calls.fields import Asked, Number, ShortText
from server.calls.listing import Wanted
from server.calls.model import Status

Text = Annotated[str, Field(min_length=1, max_length=1000)]


def _moment(value: object) -> object:
    """A plus sign that was not percent-encoded arrives as a space."""
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value.replace(" ", "+"))
    if moment.tzinfo is None:
        raise ValueError("give the zone too, such as 2026-01-31T12:00:00+01:00")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Listing(Paging):
    """The query of a list of calls."""

    status: Status | None = None
    number: Annotated[str, Field(max_length=256)] | None = None
    """Either side's."""
    agent_id: ShortText | None = None
    metadata: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}:.{1,200}$")] | None = None
    """`name:value`, of a string or number at the top of the metadata."""
    created_after: Moment | None = None
    """At or after."""
    created_before: Moment | None = None

    @field_validator("number")
    @classmethod
    def _plus(cls, value: str | None) -> str | None:
        return "+" + value[1:] if value is not None and value.startswith(" ") else value

    def wanted(self) -> Wanted:
        """As the store takes it."""
        asked = self.model_dump()
        name, colon, value = (self.metadata or "").partition(":")
        return Wanted(**{**asked, "metadata": (name, value) if colon else None})


class Plain(Asked):
    """Something to do that needs no more words."""

    action: Literal[
        "hang_up",
        "cancel",
        "mute",
        "unmute",
        "hold",
        "resume",
        "pause_recording",
        "resume_recording",
    ]


class Say(Asked):
    """Words for the agent to speak now; or, injected, to know from now on."""

    action: Literal["say", "inject"]
    text: Text


class Press(Asked):
    """Telephone keys."""

    action: Literal["press"]
    digits: Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,32}$")]


class Transfer(Asked):
    """Pass the callee on to a number."""

    action: Literal["transfer"]
    to: Number


class Action(RootModel[Annotated[Plain | Say | Press | Transfer, Field(discriminator="action")]]):
    """Something to do to a call."""
