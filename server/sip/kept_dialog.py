"""A dialog as it is kept, so that a later process can end what this one began.

Only what a BYE needs: identity, route, target and where the peer was met (RFC 3261 §12.2.1.1).
"""

import json
from dataclasses import asdict

from server.sip.dialog import Dialog
from server.sip.errors import ParseError
from server.sip.events import Address

SKIPPED_CSEQ = 1000
"""Requests that the lost process may have sent since: CSeq may skip, but not repeat."""


def dump_dialog(dialog: Dialog) -> str:
    """A dialog as JSON."""
    return json.dumps(asdict(dialog))


def load_dialog(text: str) -> Dialog:
    """The dialog again, its CSeq past whatever was used. Raises ParseError."""
    try:
        kept = json.loads(text)
        peer = Address(**kept.pop("peer"))
        routes = tuple(kept.pop("routes"))
        dialog = Dialog(**kept, routes=routes, peer=peer)
        dialog.local_cseq += SKIPPED_CSEQ
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ParseError("not a kept dialog") from error
    return dialog
