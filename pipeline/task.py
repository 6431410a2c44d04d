"""The brief of one call: what the agent is to achieve, and all that it may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.playbook import Script
from pipeline.template import Fact, spoken

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
class Task:
    """One call's brief; everything the brains and the analysis work from."""

    goal: str
    """An objective in plain English, or the goal of a structured task."""
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
