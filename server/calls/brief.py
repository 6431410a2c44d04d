"""A request as the pipeline wants it: the brief of one call, and what is odd about it."""

from pipeline.playbook import Playbook, default_playbook, parse_playbook
from pipeline.task import Task, Voicemail
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


def brief(request: CallTerms, playbook: Playbook) -> tuple[Task, tuple[str, ...]]:
    """Turn a request into a brief and its warnings; never refuses.

    Warnings: `script-not-found`, and `fact-missing:NAME` for what the script expects.
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
        recorded=request.record,
    )
    return task, warnings
