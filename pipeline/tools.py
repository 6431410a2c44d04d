"""What a brain may have done: tools as data, their calls, and what came of them.

A brain names a contact, never an address: whoever carries out `transfer`, `send_sms` or
`send_email` looks the name up in `Task.contacts`, so that nothing said on the phone can lead
anywhere the operator has not allowed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry

from pipeline.errors import ToolInvalid
from pipeline.grammar import gbnf
from pipeline.ports import Act, Message

TRIGGER = "<tool>"
"""What a model writes before a tool call; nothing behind it is ever spoken."""
TRIGGER_PATTERN = r"<\s*[Tt][Oo][Oo][Ll]\s*>"
"""What counts as the trigger."""
RESULT = "[result]"
"""How a model is told what came of a call."""
CALLS = 3
"""The most tool calls in one reply."""
REASONS = ("agent_hangup", "voicemail_reached", "screening")

_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w.+-]+@[\w.-]+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?:/\S*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool, as OpenAI's function schemas describe it.

    parameters: JSON Schema (2020-12) of the arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, object]

    @classmethod
    def parse(cls, name: str, description: str, parameters: Mapping[str, object]) -> "ToolSpec":
        """Take an operator's tool. Raises ToolInvalid when it cannot be used.

        References may only point into the schema itself: nothing is fetched.
        """
        if not _NAME.fullmatch(name):
            raise ToolInvalid("a tool's name has up to 64 letters, digits, _ and -")
        try:
            Draft202012Validator.check_schema(parameters)
        except SchemaError as error:
            raise ToolInvalid(f"{name}: parameters: {error.message}") from error
        if parameters.get("type", "object") != "object":
            raise ToolInvalid(f"{name}: parameters: the type must be object")
        if any(not ref.startswith("#") for ref in _references(parameters)):
            raise ToolInvalid(f"{name}: parameters: a reference to another document")
        gbnf(parameters)
        return cls(name, description, parameters)

    def check(self, arguments: object) -> Mapping[str, object]:
        """Give the arguments back if they fit the schema. Raises ToolInvalid, naming the place.

        The error holds no value: it may be what somebody said.
        """
        validator = Draft202012Validator({"type": "object", **self.parameters}, registry=Registry())
        error = next(iter(validator.iter_errors(arguments)), None)
        if error is not None:
            raise ToolInvalid(f"{self.name}: {error.json_path} does not fit: {error.validator}")
        assert isinstance(arguments, Mapping)
        return arguments


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)


def _spec(name: str, description: str, **properties: Mapping[str, object]) -> ToolSpec:
    """A tool all of whose parameters are required."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ToolSpec(name, description, schema)


_TEXT: Mapping[str, object] = {"type": "string", "minLength": 1, "maxLength": 2000}

END_CALL = _spec("end_call", "after you have said goodbye", reason={"enum": list(REASONS)})

_ALWAYS = (
    END_CALL,
    _spec("send_message", "send the person a text message, such as a link", text=_TEXT),
    _spec("escalate", "pass the matter to a colleague", rule=_TEXT, summary=_TEXT),
    _spec("schedule_callback", "have the person called again", when=_TEXT, note=_TEXT),
    _spec(
        "press_digits",
        "press keys of the telephone, in a menu",
        digits={"type": "string", "pattern": "^[0-9*#]{1,20}$"},
    ),
)


def offered(own: Sequence[ToolSpec], contacts: Mapping[str, str]) -> tuple[ToolSpec, ...]:
    """The tools of a call: the built-in ones, as far as there are contacts for them, and its own.

    own: the operator's; one replaces a built-in tool of the same name, but never `end_call`.
    contacts: name to number (+1...), SIP address (sip:...) or e-mail address.
    """
    numbers = [name for name, place in contacts.items() if place.startswith("+")]
    phones = [name for name, place in contacts.items() if place.startswith(("+", "sip:", "sips:"))]
    mails = [name for name, place in contacts.items() if "@" in place and name not in phones]
    tools = list(_ALWAYS)
    if phones:
        tools.append(_spec("transfer", "put the person through", to={"enum": phones}))
    if numbers:
        tools.append(_spec("send_sms", "text a contact", to={"enum": numbers}, text=_TEXT))
    if mails:
        mail = {"to": {"enum": mails}, "subject": _TEXT, "text": _TEXT}
        tools.append(_spec("send_email", "e-mail a contact", **mail))
    by_name = {tool.name: tool for tool in (*tools, *own)} | {END_CALL.name: END_CALL}
    return tuple(by_name.values())


def grammar(tools: Sequence[ToolSpec]) -> str:
    """GBNF of one to three calls of these tools, as they stand behind a trigger."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
        }
        for tool in tools
    ]
    return gbnf({"anyOf": calls}, again=TRIGGER, times=CALLS)


def check_links(acts: Sequence[Act], own: Sequence[ToolSpec], brief: str) -> None:
    """Refuse addresses in what the built-in tools send that the brief does not hold.

    Whoever is on the phone may dictate one. Raises ToolInvalid.
    """
    allowed = _links(brief)
    for act in acts:
        built_in = all(act.name != spec.name for spec in own)
        sent = "\n".join(str(value) for value in act.arguments.values())
        if built_in and not _links(sent) <= allowed:
            raise ToolInvalid(f"{act.name}: an address that the brief does not hold")


def _links(text: str) -> set[str]:
    found = (link.lower().rstrip(".,;:!?)\"'}]") for link in _LINK.findall(text))
    return {re.sub(r"^https?://|/$", "", link) for link in found}


def written(name: str, arguments: Mapping[str, object]) -> str:
    """A call as a model writes it."""
    call = {"name": name, "arguments": dict(arguments)}
    return TRIGGER + json.dumps(call, ensure_ascii=False)


def read_calls(text: str, tools: Sequence[ToolSpec]) -> tuple[Act, ...]:
    """Read what stands behind a trigger, to the letter. Raises ToolInvalid."""
    by_name = {tool.name: tool for tool in tools}
    acts: list[Act] = []
    rest = text.strip()
    while rest:
        try:
            call, end = json.JSONDecoder().raw_decode(rest)
        except ValueError as error:
            raise ToolInvalid(f"a tool call that is no JSON: {error}") from error
        name = call.get("name") if isinstance(call, dict) else None
        if not isinstance(name, str) or name not in by_name or set(call) != {"name", "arguments"}:
            raise ToolInvalid("a call of no tool of this conversation")
        acts.append(Act(name, by_name[name].check(call["arguments"])))
        rest, separators = re.subn(rf"^\s*{TRIGGER_PATTERN}\s*", "", rest[end:].strip(), count=1)
        if rest and not separators:
            raise ToolInvalid("text behind a tool call")
    if not acts:
        raise ToolInvalid("a trigger without a call")
    return tuple(acts)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a tool: `value` is its answer, or why it failed (any JSON value)."""

    name: str
    arguments: Mapping[str, object]
    ok: bool
    value: Any = None


def result(act: Act, *, ok: bool, value: object = None) -> Message:
    """The message that tells a brain what came of its act; then ask it for a reply.

    value: a JSON value, the tool's answer or the reason of its failure.
    """
    content = {"name": act.name, "arguments": dict(act.arguments), "ok": ok, "value": value}
    return Message("tool", json.dumps(content, ensure_ascii=False))


def read_result(message: Message) -> Result:
    """The other way round. Raises ToolInvalid for a message that `result` has not made."""
    try:
        return Result(**json.loads(message.content))
    except (TypeError, ValueError) as error:
        raise ToolInvalid("a message of the role `tool` that is no result") from error
