"""What a language model is told, and how its tool calls are written and read."""

import json
import re
from collections.abc import Iterator, Mapping

from pipeline.knowledge import Knowledge, is_secret
from pipeline.opening import Opening
from pipeline.ports import Act
from pipeline.task import Task
from pipeline.template import spoken

TRIGGER = "<tool>"
"""What the model writes before a tool call; the text behind it is never spoken."""

TOOLS: Mapping[str, tuple[str, ...]] = {
    "end_call": ("reason",),
    "send_message": ("text",),
    "escalate": ("rule", "summary"),
}
"""The tools and the arguments each takes."""

REASONS = ("agent_hangup", "voicemail_reached", "screening")

TOOL_GRAMMAR = r"""root ::= end-call | send-message | escalate
end-call ::= "{\"name\": \"end_call\", \"reason\": \"" reason "\"}"
reason ::= "agent_hangup" | "voicemail_reached" | "screening"
send-message ::= "{\"name\": \"send_message\", \"text\": \"" text "\"}"
escalate ::= "{\"name\": \"escalate\", \"rule\": \"" text "\", \"summary\": \"" text "\"}"
text ::= [^"\\\x00-\x1f]{1,200}
"""
"""GBNF of one tool call, without the trigger."""

_RULES = """You are {agent}, an automated assistant making a phone call{company}. You speak aloud.
{recorded}
How to speak:
- Plain American English, one or two short sentences, no lists, no web addresses, no emoji.
- Use only the facts below. If you are asked something they do not hold, say: I don't have that \
information, but someone can follow up. Never invent a number, a name or a promise.
- If you are asked whether you are a robot, say that you are an automated assistant.
- Do not discuss the matter before you know that you speak to the right person.
- Words cut off by an interruption were not heard; say what matters again, in fewer words.
- "(silence)" means that the other side has said nothing for a long time.

Tools: write one on a line of its own, after what you say, when it is needed:
{trigger}{{"name": "end_call", "reason": "agent_hangup"}} after you have said goodbye
{trigger}{{"name": "send_message", "text": "..."}} to send a text message, such as a link
{trigger}{{"name": "escalate", "rule": "...", "summary": "..."}} to pass the matter to a person
"""


def system_prompt(task: Task) -> str:
    """The brief as instructions. The same task gives the same text: it is evaluated once."""
    company = f" on behalf of {task.company}" if task.company else ""
    recorded = "The call is recorded, and you say so when asked.\n" if task.recorded else ""
    head = _RULES.format(agent=task.agent_name, company=company, recorded=recorded, trigger=TRIGGER)
    return "\n".join([head, *_sections(task)]).strip()


def _sections(task: Task) -> Iterator[str]:
    yield f"Goal: {task.goal}"
    if task.persona:
        yield f"Your manner: {task.persona}"
    if task.context:
        yield f"Context: {task.context}"
    if facts := {key: value for key, value in task.facts.items() if not is_secret(key)}:
        yield "Facts:"
        yield from (f"- {key}: {spoken(value)}" for key, value in facts.items())
    knowledge = Knowledge(task)
    opening = Opening(task, knowledge)
    if opening.identity:
        if not opening.first():
            yield "First ask: " + opening.identify().text
        yield "Once the person is confirmed, say: " + " ".join(s.text for s in opening.purpose())
    if script := task.script:
        yield "What to do when:"
        for branch in script.branches:
            actions = " + ".join(action.text for action in branch.actions)
            yield f"- {branch.condition}: {knowledge.fill(actions)}"
        if script.hard_limits:
            yield "Never break these limits: " + "; ".join(script.hard_limits)
    if task.escalation:
        yield f"Escalation: {task.escalation}"
    yield f"If a voicemail greeting answers: {_voicemail(task)}"


def _voicemail(task: Task) -> str:
    action = task.voicemail.action
    if action == "hang_up":
        return "end the call with reason voicemail_reached and say nothing."
    if action == "continue":
        return "go on as with a person."
    message = task.voicemail.message or "who called, for whom, and please call back; no details"
    return f"leave this message, then end the call with reason voicemail_reached: {message}"


def parse_tool(text: str) -> Act | None:
    """Read one tool call, however sloppily it is written; None when it names no known tool."""
    body = text.partition("{")[2].rpartition("}")[0]
    try:
        call = json.loads("{" + body + "}", strict=False) if body else {}
    except ValueError:
        call = dict(re.findall(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.)*)"', body))
    if not isinstance(call, dict):
        return None
    name = str(call.get("name") or call.get("tool") or "")
    if name not in TOOLS:
        return None
    nested = call.get("arguments") or call.get("parameters")
    given = nested if isinstance(nested, dict) else call
    arguments = {key: str(given[key])[:500] for key in TOOLS[name] if given.get(key)}
    if name == "end_call" and arguments.get("reason") not in REASONS:
        arguments = {"reason": "agent_hangup"}
    return Act(name, arguments) if len(arguments) == len(TOOLS[name]) else None
