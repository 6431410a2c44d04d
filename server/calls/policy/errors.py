"""Everything `server.calls.policy` raises.

PolicyError(code, message, field)
├── NumberRefused       a number that is never dialled; the code says why    (client)
├── Blocked             a text asks for harm; names the category             (client)
├── InjectionFound      a text tries to command the agent; names the rule    (client)
├── NoCallingHour       no time at which the number may be called            (client)
└── RulesInvalid        rules or data that contradict themselves             (local)
"""

from typing import Literal

NumberCode = Literal[
    "emergency_number_blocked",
    "self_call",
    "premium_number_blocked",
    "satellite_number_blocked",
    "invalid_number",
    "country_blocked",
]


class PolicyError(Exception):
    """Root of the tree.

    code: stable, for programs. field: path into the request, such as `task.facts.note`.
    """

    def __init__(self, code: str, message: str, field: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field

    @property
    def message(self) -> str:
        """What went wrong, for people; holds neither the number nor the text."""
        return str(self)


class NumberRefused(PolicyError):
    """The number is not dialled, by a call, a transfer or a tool."""

    def __init__(self, code: NumberCode, message: str, field: str = "to") -> None:
        super().__init__(code, message, field)


class Blocked(PolicyError):
    """The text asks the agent to do harm."""

    def __init__(self, category: str, field: str) -> None:
        super().__init__("content_blocked", f"calls of this kind are not made: {category}", field)
        self.category = category


class InjectionFound(PolicyError):
    """The text addresses the model behind the agent rather than the call."""

    def __init__(self, rule: str, field: str) -> None:
        super().__init__("prompt_injection", f"reads as instructions to the model: {rule}", field)
        self.rule = rule


class NoCallingHour(PolicyError):
    """No moment is inside the calling hours, or the number's time zone is unknown."""

    def __init__(self, message: str, field: str = "to") -> None:
        super().__init__("no_calling_hour", message, field)


class RulesInvalid(PolicyError):
    """The operator's rules, or the bundled data, cannot be applied."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__("rules_invalid", message, field)
