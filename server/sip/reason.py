"""SIP status → why a call ended, in the words of the call record."""

from typing import Literal

EndedReason = Literal[
    "dial_busy",
    "dial_no_answer",
    "dial_failed",
    "user_declined",
    "invalid_destination",
    "canceled",
]

REASONS: dict[int, EndedReason] = {
    404: "invalid_destination",
    408: "dial_no_answer",
    410: "invalid_destination",
    416: "invalid_destination",
    480: "dial_no_answer",
    484: "invalid_destination",
    486: "dial_busy",
    487: "canceled",
    600: "dial_busy",
    603: "user_declined",
    604: "invalid_destination",
    607: "user_declined",
}


def ended_reason(status: int, *, rang_out: bool = False) -> EndedReason:
    """Return the reason for a call that ended with a final, non-2xx `status`.

    rang_out: our own ring timeout sent the CANCEL, so a 487 means that nobody answered.
    A status without a row, a redirection among them, is `dial_failed`.
    """
    if status == 487 and rang_out:
        return "dial_no_answer"
    return REASONS.get(status, "dial_failed")
