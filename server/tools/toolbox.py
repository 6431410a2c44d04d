"""The tools of one call. Stands after the brain's `Act`, before whoever carries it out.

The model names contacts, never addresses; what it writes is checked against what the operator
gave. Each use is audited by the caller and told to the brain as a result.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from pydantic import JsonValue

from server.calls.policy.errors import PolicyError
from server.calls.terms import CallTerms
from server.sections import ToolSettings
from server.tools.callback import moment_of
from server.tools.errors import ToolError, ToolFailed, ToolRefused, ToolUnavailable
from server.tools.functions import Functions
from server.tools.links import foreign_addresses
from server.tools.messages import SendText, send_mail

log = logging.getLogger(__name__)

CheckNumber = Callable[[str], Awaitable[None]]
"""Applies every rule about whom to call. Raises `PolicyError`."""
PlaceCallback = Callable[[datetime, str], Awaitable[str]]
"""Schedules another call like this one, with a note; returns its id. Raises `PolicyError`."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What came of a use: `value` is the answer, or why there is none."""

    ok: bool
    value: JsonValue = None


@dataclass(frozen=True, slots=True)
class ToolWorld:
    """What tools work through; the same for all calls of a node."""

    settings: ToolSettings
    functions: Functions
    send_text: SendText | None
    check_number: CheckNumber


@dataclass(slots=True)
class Toolbox:
    """One call's tools."""

    world: ToolWorld
    call_id: str
    terms: CallTerms
    zone: tzinfo
    """The callee's own."""
    place_callback: PlaceCallback
    _uses: int = field(default=0, init=False)

    async def use(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Carry a tool out; whatever happens is an answer. Cancelling it stops the work."""
        self._uses += 1
        use_id = f"{self.call_id}_tool_{self._uses}"
        try:
            return ToolAnswer(True, await self._carry_out(name, dict(arguments), use_id))
        except (ToolError, PolicyError) as error:
            log.warning("%s: %s was not done: %s", self.call_id, name, error)
            return ToolAnswer(False, str(error))
        except TimeoutError:
            log.warning("%s: %s took too long", self.call_id, name)
            return ToolAnswer(False, "it took too long")
        except Exception:
            log.exception("%s: %s failed", self.call_id, name)
            return ToolAnswer(False, "it failed")

    async def _carry_out(self, name: str, given: dict[str, Any], use_id: str) -> JsonValue:
        own = next((tool for tool in self.terms.tools if tool.function.name == name), None)
        if own is not None:
            return await self.world.functions.call(own, self.call_id, use_id, given)
        match name:
            case "send_message":
                return await self._text(self.terms.parties[0], given["text"])
            case "send_sms":
                return await self._text(self._contact(given["to"]), given["text"])
            case "send_email":
                return await self._mail(given["to"], given["subject"], given["text"])
            case "schedule_callback":
                return await self._call_back(given["when"], given["note"])
            case "escalate":
                return await self._escalate(given["rule"], given["summary"], use_id)
            case _:
                raise ToolUnavailable(f"there is no tool {name} here")

    async def _text(self, number: str, text: str) -> JsonValue:
        send, sender = self.world.send_text, self.terms.from_
        if send is None or sender is None:
            raise ToolUnavailable("text messages are not set up: no gateway and no number of ours")
        self._check_text(text)
        await self.world.check_number(number)
        await send(sender, number, text)
        return "sent"

    async def _mail(self, contact: str, subject: str, text: str) -> JsonValue:
        self._check_text(f"{subject} {text}")
        await send_mail(self.world.settings.smtp, self._contact(contact), subject, text)
        return "sent"

    async def _call_back(self, words: str, note: str) -> JsonValue:
        moment = moment_of(words, datetime.now(UTC), self.zone)
        if moment is None:
            raise ToolFailed("no time within the next 60 days is meant by these words")
        call_id = await self.place_callback(moment, note)
        return {"call_id": call_id, "at": moment.isoformat()}

    async def _escalate(self, rule: str, summary: str, use_id: str) -> JsonValue:
        """Tell the operator's people: by the operator's function, else by e-mail, else by text."""
        own = next((t for t in self.terms.tools if t.function.name.startswith("escalat")), None)
        if own is not None:
            given: dict[str, JsonValue] = {"rule": rule, "summary": summary}
            return await self.world.functions.call(own, self.call_id, use_id, given)
        to = self.world.settings.escalation
        if to is None:
            raise ToolUnavailable("nobody to escalate to: tools.escalation is missing")
        self._check_text(summary)
        text = f"{summary}\n\nRule: {rule}\nCall: {self.call_id}"
        if to.startswith("+"):
            return await self._text_to_operator(to, text)
        await send_mail(self.world.settings.smtp, to, f"Escalation of {self.call_id}", text)
        return "sent"

    async def _text_to_operator(self, number: str, text: str) -> JsonValue:
        send, sender = self.world.send_text, self.terms.from_
        if send is None or sender is None:
            raise ToolUnavailable("text messages are not set up")
        await send(sender, number, text)
        return "sent"

    def _contact(self, name: str) -> str:
        try:
            return self.terms.contacts[name]
        except KeyError:
            raise ToolRefused("no contact of this name was given") from None

    def _check_text(self, text: str) -> None:
        """Only addresses that the operator wrote may be sent on. Raises `ToolRefused`."""
        if foreign_addresses(text, self._given()):
            raise ToolRefused("the text holds an address or number that the brief does not hold")

    def _given(self) -> list[str]:
        """Everything that the operator wrote."""
        terms = self.terms
        model = terms.language_model
        task = terms.task
        facts = [str(value) for value in task.facts.values()] if task else []
        texts = [terms.objective, terms.persona, terms.context, model.system_prompt, terms.from_]
        texts += [task.goal, task.escalation] if task else []
        variables = [str(value) for value in terms.variables.values()]
        contacts = list(terms.contacts.values())
        return [text for text in [*texts, *facts, *variables, *contacts] if text]
