"""What a key may do.

A scope is `what:how`. A key may hold `*`, everything, and `what:*`, everything about it. A key
that is bound to a deployment is about that deployment's calls only.
"""

from collections.abc import Iterable
from typing import Literal

Scope = Literal[
    "voice:call",
    "calls:read",
    "calls:write",
    "agents:read",
    "agents:write",
    "admin",
]
PLACE: Scope = "voice:call"
"""Ask for quotes and place calls; the name is TalkToMyAgent's."""
READ: Scope = "calls:read"
"""Records, events, recordings."""
WRITE: Scope = "calls:write"
"""Act on calls, cancel and erase them."""
READ_AGENTS: Scope = "agents:read"
"""Agents and playbooks, also the secrets of their webhooks."""
WRITE_AGENTS: Scope = "agents:write"
ADMIN: Scope = "admin"
"""Deployments, keys, do-not-call list, audit, webhook deliveries."""

ALL = "*"
GRANTABLE = frozenset(
    {ALL, PLACE, READ, WRITE, "calls:*", READ_AGENTS, WRITE_AGENTS, "agents:*", ADMIN}
)
OF_DEPLOYMENTS = frozenset({PLACE, READ, WRITE})
"""All that a key bound to a deployment can do."""


def covers(held: Iterable[str], wanted: str) -> bool:
    """Whether one of the scopes that are held allows what is wanted."""
    family = wanted.partition(":")[0]
    return not {ALL, wanted, f"{family}:*"}.isdisjoint(held)
