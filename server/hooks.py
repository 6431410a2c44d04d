"""Hooks: what a request wants done inside its call when something happens there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import to_jsonable_python

from server.calls.agent import HookRequest, InstructionRequest
from server.calls.terms import CallTerms
from server.calls.webhooks.filters import Filter, compile_filter
from server.calls.webhooks.names import names_of, resolve_names
from server.live_actions import Instruction


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook, checked."""

    events: frozenset[str]
    filter: Filter | None
    instructions: tuple[Instruction, ...]


def parse_hooks(asked: Sequence[HookRequest]) -> tuple[Hook, ...]:
    """Check hooks as they were asked for. Raises `EventUnknown` and `FilterInvalid`."""
    return tuple(
        Hook(
            resolve_names(hook.events),
            compile_filter(hook.filter) if hook.filter is not None else None,
            tuple(_instruction(one) for one in hook.instructions),
        )
        for hook in asked
    )


@dataclass(frozen=True, slots=True)
class CallHooks:
    """The hooks of one call; asked outside of the packet path."""

    hooks: tuple[Hook, ...]
    call: Mapping[str, object]
    """What filters see of the call."""

    def __call__(self, kind: str, data: Mapping[str, object]) -> tuple[Instruction, ...]:
        """What is to be done about an event."""
        names = names_of(kind, data)
        return tuple(
            instruction
            for hook in self.hooks
            if any(name in hook.events and self._matches(hook, name, data) for name in names)
            for instruction in hook.instructions
        )

    def _matches(self, hook: Hook, name: str, data: Mapping[str, object]) -> bool:
        if hook.filter is None:
            return True
        plain = to_jsonable_python(dict(data), serialize_unknown=True)
        event = {"type": name, "call_id": self.call.get("id"), "data": plain}
        return hook.filter.matches({"event": event, "call": dict(self.call), "data": plain})


def call_as_hooks_see_it(call_id: str, terms: CallTerms) -> dict[str, object]:
    """What is known of a call before it is dialled, in the names of its record."""
    return {
        "id": call_id,
        "to": terms.parties[0],
        "from": terms.from_,
        "agent_id": terms.agent_id,
        "agent_name": terms.agent_name,
        "variables": dict(terms.variables),
        "metadata": dict(terms.metadata),
    }


def _instruction(asked: InstructionRequest) -> Instruction:
    given = asked.model_dump(exclude={"instruction"}, exclude_none=True)
    return Instruction(asked.instruction, given)
