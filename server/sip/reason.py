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


def ended_reason(status: int) -> EndedReason:
    """Return the reason for a call that ended with a final, non-2xx `status`.

    A status without a row, a redirection among them, is `dial_failed`.
    """
    return REASONS.get(status, "dial_failed")
