import pytest

from server.sip.reason import ended_reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, "dial_busy"),
        (600, "dial_busy"),
        (480, "dial_no_answer"),
        (408, "dial_no_answer"),
        (603, "user_declined"),
        (607, "user_declined"),
        (404, "invalid_destination"),
        (410, "invalid_destination"),
        (416, "invalid_destination"),
        (484, "invalid_destination"),
        (604, "invalid_destination"),
        (487, "canceled"),
        (302, "dial_failed"),
        (403, "dial_failed"),
        (503, "dial_failed"),
    ],
)
def test_every_final_status_has_a_reason(status, reason):
    assert ended_reason(status) == reason
