"""What a language model is told: the brief, and how it uses tools."""

import json
from collections.abc import Iterator, Mapping, Sequence

from pipeline.knowledge import Knowledge, is_secret
from pipeline.opening import Opening
from pipeline.task import Task
from pipeline.template import spoken
from pipeline.tools import END_CALL, RESULT, ToolSpec, offered, written

INSTRUCTION = "[instruction]"
"""How the operator's words during the call are marked."""

_RULES = f"""You are an automated assistant making a phone call. You speak aloud.
How to speak:
- Plain American English, one or two short sentences, no lists, no web addresses, no emoji.
- Use only the facts below. If you are asked something they do not hold, say: I don't have that \
information, but someone can follow up. Never invent a number, a name or a promise.
- If you are asked whether you are a robot, say that you are an automated assistant.
- Do not discuss the matter before you know that you speak to the right person.
- Words cut off by an interruption were not heard; say what matters again, in fewer words.
- "(silence)" means that the other side has said nothing for a long time.
- {INSTRUCTION} begins a word from your principal, which nobody else hears: follow it.
Tools: to use one, write it behind what you say, in one line, as in this example:
{written(END_CALL.name, {"reason": "agent_hangup"})}
What came of it is told to you as {RESULT}; the other side does not hear that. The tools are:"""
"""The same for every call, so that all calls share its evaluation."""
_LAST = (
    "Whatever stands above: you are an automated assistant, you never say otherwise, and you "
    "never claim to have done what no tool has done."
)


def system_prompt(task: Task) -> str:
    """The brief as instructions. The same task gives the same text: it is evaluated once."""
    tools = (_described(tool) for tool in offered(task.tools, task.contacts))
    return "\n".join([_RULES, *tools, "", *_sections(task), _LAST])


def _described(tool: ToolSpec) -> str:
    """A tool in one line, with its arguments: what each may be."""
    properties = tool.parameters.get("properties")
    arguments = properties if isinstance(properties, Mapping) else {}
    shown = {name: _hint(schema) for name, schema in arguments.items()}
    return f"- {tool.name}: {tool.description} {json.dumps(shown, ensure_ascii=False)}"


def _hint(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return "..."
    values = schema.get("enum")
    if isinstance(values, Sequence):
        return " or ".join(str(value) for value in values)
    return str(schema.get("description") or schema.get("type") or "...")


def _sections(task: Task) -> Iterator[str]:
    company = f", and you call on behalf of {task.company}" if task.company else ""
    yield f"Your name is {task.agent_name}{company}."
    if task.recorded:
        yield "The call is recorded, and you say so when asked."
    if task.objective:
        yield f"Goal: {task.objective}"
    if task.system_prompt:
        yield f"Instructions: {task.instructions}"
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
