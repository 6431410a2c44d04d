"""The brief of one call: what the agent is to achieve, and all that it may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.objective import objective_of
from pipeline.playbook import Script
from pipeline.template import Fact, fill_lines, spoken
from pipeline.tools import ToolSpec

VoicemailAction = Literal["leave_message", "hang_up", "continue"]

COMPANY_KEYS = ("creditor", "company", "company_name", "business", "organization", "on_behalf_of")
CALLEE_KEYS = (
    "debtor_name", "customer_name", "patient_name", "client_name", "callee_name", "contact_name",
    "target_name", "lead_name", "first_name", "recipient", "name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Voicemail:
    """What to do when a machine answers."""

    action: VoicemailAction = "leave_message"
    message: str = ""
    """Spoken after the greeting; empty: who called, for whom, and a request to call back."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a language model's words are chosen."""

    temperature: float = 0.3
    max_tokens: int = 160
    """Bounds the words of one reply; a token is about three quarters of a word."""


@dataclass(frozen=True, slots=True)
class Task:
    """One call's brief; everything the brains and the analysis work from."""

    goal: str
    """An objective in plain English, or the goal of a structured task; may be empty where there
    is a `system_prompt`."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    script: Script | None = None
    escalation: str = ""
    persona: str = ""
    context: str = ""
    agent_name: str = "Ava"
    first_message: str | None = None
    """Replaces the opening; the empty text lets the other side begin."""
    voicemail: Voicemail = Voicemail()
    disclose: bool = True
    """Say in the opening that this is an automated assistant."""
    recorded: bool = False
    """The call is recorded, and the opening says so."""
    system_prompt: str = ""
    """Further instructions, with `{{name}}` for variables."""
    variables: Mapping[str, Fact] = field(default_factory=dict)
    """Values for `{{name}}` or `{name}` in `system_prompt`, `first_message` and the voicemail
    message; they go before facts of the same name."""
    sampling: Sampling = Sampling()
    tools: tuple[ToolSpec, ...] = ()
    """The operator's own functions, beside the built-in tools."""
    contacts: Mapping[str, str] = field(default_factory=dict)
    """Whom tools may reach: a name to a number, SIP address or e-mail address. Brains only ever
    give the name."""
    criteria: tuple[str, ...] = ()
    """What else the call is judged by (`Plan.success_criteria`), beside its main criterion."""

    @property
    def instructions(self) -> str:
        """The system prompt with its variables."""
        return self.filled(self.system_prompt)

    @property
    def objective(self) -> str:
        """What is to be achieved: the goal, or else what the instructions name."""
        return self.goal.strip() or objective_of(self.instructions)

    def filled(self, template: str) -> str:
        """A text of the operator's with variables and facts in their places."""
        return fill_lines(template, {**self.facts, **self.variables}, self.agent_name)

    @property
    def company(self) -> str:
        """On whose behalf the call is made; empty when the facts do not say."""
        return self._fact(COMPANY_KEYS)

    @property
    def callee(self) -> str:
        """The person to speak to; empty when the facts do not say."""
        return self._fact(CALLEE_KEYS)

    def _fact(self, keys: tuple[str, ...]) -> str:
        return next((spoken(self.facts[key]) for key in keys if key in self.facts), "")
