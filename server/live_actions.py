"""What can be done to a call that goes on: by a client, by a hook, by the brain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from media.errors import DtmfError
from media.recorder import StereoRecorder
from pipeline.session import Session

LONGEST_TEXT: Final = 1000
"""Characters of what is said or injected."""
LONGEST_DIGITS: Final = 32

Arguments = Mapping[str, object]
Tell = Callable[[str, Mapping[str, object]], None]
"""Takes the type and the data of an event."""
Code = Literal[
    "no_such_call", "not_answered", "not_now", "unknown_action", "invalid_arguments", "unsupported"
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done, and nothing of it was."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """Something to do, as a hook gives it: an action and its arguments."""

    action: str
    arguments: Arguments = field(default_factory=dict)


class Actions:
    """The actions of one answered call.

    A hold is ours alone: we neither listen nor speak, and send comfort silence; the other side
    is not told by SIP.
    """

    def __init__(
        self,
        *,
        session: Session,
        press: Callable[[str], None],
        recorder: StereoRecorder | None,
        transfer: Callable[[Arguments], None] | None,
        tell: Tell,
    ) -> None:
        """press: raises DtmfError. transfer: None where nobody can carry it out."""
        self._session, self._press_keys, self._recorder = session, press, recorder
        self._transfer_to, self._tell = transfer, tell
        self._recording_paused = False

    def act(self, action: str, arguments: Arguments) -> Refusal | None:
        """Do it and tell of it, or say why not. Never blocks, never raises."""
        do = self._ACTIONS.get(action)
        if do is None:
            return Refusal("unknown_action", f"there is no action {action!r}")
        refusal = do(self, arguments)
        if refusal is None:
            self._tell("action", {"action": action, **arguments})
        return refusal

    def _say(self, arguments: Arguments) -> Refusal | None:
        text = _text(arguments)
        if isinstance(text, Refusal):
            return text
        if self._session.is_muted:
            return Refusal("not_now", "the agent is muted or on hold")
        self._session.say(text)
        return None

    def _inject(self, arguments: Arguments) -> Refusal | None:
        text = _text(arguments)
        if isinstance(text, Refusal):
            return text
        self._session.inject(text)
        return None

    def _press(self, arguments: Arguments) -> Refusal | None:
        digits = arguments.get("digits")
        if not isinstance(digits, str) or not 0 < len(digits) <= LONGEST_DIGITS:
            return Refusal("invalid_arguments", f"digits: 1 to {LONGEST_DIGITS} keys")
        try:
            self._press_keys(digits)
        except DtmfError as error:
            return Refusal("invalid_arguments", f"digits: {error}")
        return None

    def _transfer(self, arguments: Arguments) -> Refusal | None:
        if self._transfer_to is None:
            return Refusal("unsupported", "this node cannot transfer calls")
        self._transfer_to(arguments)
        return None

    def _mute(self, _: Arguments) -> Refusal | None:
        if self._session.is_muted:
            return Refusal("not_now", "the agent is muted or on hold")
        self._session.mute()
        return None

    def _unmute(self, _: Arguments) -> Refusal | None:
        if not self._session.is_muted or self._session.is_on_hold:
            return Refusal("not_now", "the agent is not muted")
        self._session.unmute()
        return None

    def _hold(self, _: Arguments) -> Refusal | None:
        if self._session.is_on_hold:
            return Refusal("not_now", "the call is on hold")
        self._session.hold()
        return None

    def _resume(self, _: Arguments) -> Refusal | None:
        if not self._session.is_on_hold:
            return Refusal("not_now", "the call is not on hold")
        self._session.resume()
        return None

    def _pause_recording(self, _: Arguments) -> Refusal | None:
        if self._recorder is None or self._recording_paused:
            return Refusal("not_now", "nothing is being recorded")
        self._recorder.pause()
        self._recording_paused = True
        return None

    def _resume_recording(self, _: Arguments) -> Refusal | None:
        if self._recorder is None or not self._recording_paused:
            return Refusal("not_now", "no recording is paused")
        self._recorder.resume()
        self._recording_paused = False
        return None

    _ACTIONS = {  # noqa: RUF012
        "say": _say,
        "inject": _inject,
        "press": _press,
        "transfer": _transfer,
        "mute": _mute,
        "unmute": _unmute,
        "hold": _hold,
        "resume": _resume,
        "pause_recording": _pause_recording,
        "resume_recording": _resume_recording,
    }


def _text(arguments: Arguments) -> str | Refusal:
    text = arguments.get("text")
    if isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_TEXT:
        return text.strip()
    return Refusal("invalid_arguments", f"text: 1 to {LONGEST_TEXT} characters")
