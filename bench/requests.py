"""What the demo asks a node to do: the examples of the two public documents, as native bodies."""

from __future__ import annotations

from typing import Any, Final

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "debt-collection": {
        "from": "+16473705600",
        "to": "+16478359044",
        "max_duration_s": 300,
        "task": {
            "goal": (
                "Collect $154.56 from Bobby for SMS credits; offer payment link; "
                "escalate if refused."
            ),
            "script": "debt-collection",
            "facts": {
                "debtor_name": "Bobby",
                "amount_due": "$154.56",
                "currency": "USD",
                "due_date": "May 25, 2026",
                "purchase": "1,000 SMS credits",
                "payment_link": "https://pay.vello.io/inv/bobby-154",
                "creditor": "Vello",
            },
            "escalation": (
                "If customer refuses to pay, use openclaw_query to email joe@vello.io "
                "with a one-line summary."
            ),
        },
        "metadata": {"triggeredBy": "vello-billing-system", "targetName": "Bobby"},
    },
    "restaurant": {
        "from": "+16473705600",
        "to": "+14155551234",
        "max_duration_s": 300,
        "objective": (
            "Call the restaurant to make a dinner reservation for 2 people at 7pm tonight"
        ),
        "persona": "A polite assistant making a reservation",
        "context": "Italian restaurant, prefer outdoor seating",
        "metadata": {"triggeredBy": "offhook-demo"},
    },
}
"""By the name a persona's `call` gives."""
