"""docs/dialects.md against the models that validate, and against what the documents list."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from server.api import oneinbox, oneshot, talktomyagent, voiceos
from server.api.errors import Problem
from server.api.http import FACES
from server.calls.model import CallMessage
from tests.server.api.clients import oneinbox as oneinbox_client
from tests.server.api.clients import oneshot as oneshot_client
from tests.server.api.clients import talktomyagent as talktomyagent_client
from tests.server.api.clients import voiceos as voiceos_client
from tests.server.api.clients.shape import Nullable
from tests.test_docs import codes, read, rows

REQUESTS = {
    "TalkToMyAgent request": talktomyagent.VoiceCall,
    "OneShot request": oneshot.VoiceCall,
    "VoiceOS request": voiceos.PhoneCallRequest,
    "OneInbox request": oneinbox.CreateCall,
}
ANSWERS = {
    "TalkToMyAgent answer": (talktomyagent.Placed, talktomyagent_client.SUCCESS),
    "OneShot quote": (oneshot.QuoteAnswer, oneshot_client.QUOTE),
    "OneShot execution": (oneshot.Accepted, oneshot_client.EXECUTION),
    "OneShot result": (oneshot.JobResult, oneshot_client.RESULT),
    "VoiceOS conversation": (voiceos.Conversation, voiceos_client.CONVERSATION),
    "OneInbox record": (oneinbox.CallRecord, oneinbox_client.RECORD),
}
TOLD_ELSEWHERE = (CallMessage, voiceos.Agent)
"""Models in answers whose fields are described with those of the request, or natively."""


def fields(model: type[BaseModel], beyond: tuple[type, ...] = (), at: str = "") -> Iterator[str]:
    """Every field of a model and of the models in it, by its dotted name."""
    for name, field in model.model_fields.items():
        here = f"{at}{field.alias or name}"
        yield here
        for inner, many in models_in(field.annotation):
            if inner not in beyond:
                yield from fields(inner, beyond, f"{here}{'[]' if many else ''}.")


def models_in(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    elif get_origin(annotation) in (Union, UnionType, tuple):
        for argument in get_args(annotation):
            yield from models_in(argument, many or get_origin(annotation) is tuple)


def listed(shape: object, at: str = "") -> Iterator[str]:
    """Every field of a client's list, by its dotted name."""
    if isinstance(shape, Nullable):
        yield from listed(shape.shape, at)
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            yield f"{at}{name}"
            if name != "agent_config":
                yield from listed(inner, f"{at}{name}.")


def documented(heading: str) -> list[str]:
    return [codes(row[0])[0] for row in rows(read("dialects.md"), f"### {heading}")]


@pytest.mark.parametrize("heading", REQUESTS)
def test_every_field_of_a_request_is_described(heading: str) -> None:
    assert documented(heading) == list(fields(REQUESTS[heading]))


@pytest.mark.parametrize("heading", ANSWERS)
def test_every_field_of_an_answer_is_described(heading: str) -> None:
    model, shape = ANSWERS[heading]
    found = documented(heading)
    assert found == list(fields(model, TOLD_ELSEWHERE))
    assert set(found) == set(listed(shape))


@pytest.mark.parametrize(
    ("heading", "client"),
    [
        ("TalkToMyAgent request", talktomyagent_client),
        ("OneShot request", oneshot_client),
        ("VoiceOS request", voiceos_client),
        ("OneInbox request", oneinbox_client),
    ],
)
def test_every_field_that_a_document_lists_is_taken(heading: str, client: Any) -> None:
    found = {field for field in documented(heading) if "." not in field}
    assert found == set(client.REQUEST)


def test_the_errors_of_talktomyagent_are_described_with_their_status() -> None:
    table = rows(read("dialects.md"), "### TalkToMyAgent errors")
    told = {code: int(row[0]) for row in table for code in codes(row[1])}
    assert talktomyagent_client.ERRORS.items() <= told.items()


@pytest.mark.parametrize(
    ("heading", "path"),
    [("TalkToMyAgent errors", "/v1/voice/"), ("OneShot errors", "/v1/tools/")],
)
def test_codes_are_described_as_they_are_translated(heading: str, path: str) -> None:
    table = rows(read("dialects.md"), f"### {heading}")
    told = {(int(row[0]), code) for row in table for code in codes(row[1])}
    face = talktomyagent.CODES if path == "/v1/voice/" else oneshot.CODES
    for ours, (status, theirs) in face.items():
        answered = FACES[path](Problem(403, ours, "why"))
        assert (answered.status, answered.code, answered.reason) == (status, theirs, ours)
        assert (status, theirs) in told
