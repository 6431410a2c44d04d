"""A request as the pipeline wants it: the brief of one call, and what is odd about it."""

from pydantic import JsonValue
from pydantic_core import to_json

from pipeline.errors import ToolInvalid
from pipeline.playbook import Playbook, default_playbook, parse_playbook
from pipeline.task import Sampling, Task, Voicemail
from pipeline.template import Fact
from pipeline.tools import ToolSpec
from server.calls.agent import ToolRequest
from server.calls.errors import Refused
from server.calls.terms import CallTerms
from server.errors import SettingsInvalid
from server.settings import Settings


def load_playbook(settings: Settings) -> Playbook:
    """The playbook the settings name, else the bundled one. Raises `SettingsInvalid`."""
    path = settings.agent.playbook
    if path is None:
        return default_playbook()
    try:
        return parse_playbook(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error  # an OSError's text names the path again
        raise SettingsInvalid(f"agent.playbook: {path}: {reason}") from error


def brief(
    request: CallTerms, playbook: Playbook, *, disclose: bool = True
) -> tuple[Task, tuple[str, ...]]:
    """Turn a request into a brief and its warnings.

    Warnings: `script-not-found`, and `fact-missing:NAME` for what the script expects.
    Raises `Refused` for a tool whose schema cannot be used.
    """
    asked = request.task
    facts = dict(asked.facts) if asked else {}
    script = playbook.find(asked.script) if asked and asked.script else None
    warnings: tuple[str, ...] = ()
    if asked and asked.script and script is None:
        warnings = ("script-not-found",)
    elif script is not None:
        missing = (name for name in script.expected_facts if name not in facts)
        warnings = tuple(f"fact-missing:{name}" for name in missing)
    task = Task(
        goal=asked.goal if asked else request.objective or "",
        facts=facts,
        script=script,
        escalation=(asked.escalation if asked else None) or "",
        persona=request.persona or "",
        context=request.context or "",
        agent_name=request.agent_name,
        first_message=request.first_message,
        voicemail=Voicemail(request.voicemail.action, request.voicemail.message or ""),
        disclose=disclose,
        recorded=request.record,
        system_prompt=request.language_model.system_prompt or "",
        variables={name: _fact(value) for name, value in request.variables.items()},
        sampling=_sampling(request),
        tools=tuple(_tool(place, tool) for place, tool in enumerate(request.tools)),
        contacts=request.contacts,
    )
    return task, warnings


def _fact(value: JsonValue) -> Fact:
    """A variable as it can be said: what is nested is written out."""
    return value if isinstance(value, str | bool | int | float) else to_json(value).decode()


def _sampling(request: CallTerms) -> Sampling:
    asked = request.language_model.model_dump(
        include={"temperature", "max_tokens"}, exclude_none=True
    )
    return Sampling(**asked)


def _tool(place: int, tool: ToolRequest) -> ToolSpec:
    function = tool.function
    parameters = {"type": "object", "properties": {}, **function.parameters}
    try:
        return ToolSpec.parse(function.name, function.description, parameters)
    except ToolInvalid as error:
        raise Refused(f"tools.{place}.function", str(error)) from None
