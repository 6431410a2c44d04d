"""Everything `server.calls` raises.

CallError
├── Refused                 a request that this node will not place; names the field   (client)
│   └── DoNotCallListed     the number asked not to be called                          (client)
├── CallNotFound            no call has this id                                        (client)
├── NotFound                nothing of this kind has this id; names the kind           (client)
│   └── DocumentNotFound    an agent, a deployment, a playbook
├── NameTaken               another document has this name                             (client)
├── DocumentChanged         somebody else has changed the document since it was read   (client)
├── ActionRefused           the call is not in a state to do this                      (client)
├── CursorInvalid           a list cursor that this node did not hand out              (client)
├── IdempotencyMismatch     the key was used before, for another body                  (client)
├── RateLimited             the deployment has placed too many calls: 429              (client)
├── SpendCapReached         the key's money for today is used up                       (client)
├── PaymentRefused          a quote or its payment is not taken; `code` says why       (client)
├── PaymentUnsettled        whether a payment went through is not known yet            (peer)
├── Overloaded              too many calls wait already: 503                           (local)
└── Draining                the node is shutting down and takes no more calls: 503     (local)
"""


class CallError(Exception):
    """Root of the tree."""


class Refused(CallError):
    """The request is well-formed, but this node's settings do not allow it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class DoNotCallListed(Refused):
    """The number is on the do-not-call list."""


class CallNotFound(CallError):
    """No call has this id."""


class NotFound(CallError):
    """A document, a key, a listed number or a delivery that is not there."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")


class DocumentNotFound(NotFound):
    """No document has this id, or name."""


class NameTaken(CallError):
    """Names of documents of one kind differ."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name!r} is taken")


class DocumentChanged(CallError):
    """The document is not the version that was to be changed."""


class ActionRefused(CallError):
    """The call is over, or not yet where this could be done; or this cannot be done to it.

    code: `not_now`, `invalid_arguments`, `unknown_action`, ...
    """

    def __init__(self, message: str, code: str = "not_now") -> None:
        super().__init__(message)
        self.code = code


class CursorInvalid(CallError):
    """The cursor did not come from this node."""


class IdempotencyMismatch(CallError):
    """An idempotency key stands for one body only."""


class RateLimited(CallError):
    """A limit of the deployment stands in the way."""

    def __init__(self, limit: str, retry_after_s: int) -> None:
        super().__init__(f"the limit {limit} is reached; try again in {retry_after_s} s")
        self.limit = limit
        self.retry_after_s = retry_after_s


class SpendCapReached(CallError):
    """The call could cost more than the key may still spend today."""


class Overloaded(CallError):
    """As many calls wait as may wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many calls are waiting; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Draining(CallError):
    """The node is shutting down; ask another one, or later."""


class PaymentRefused(CallError):
    """Nothing was dialled; where it was settled before, the money is to the wallet's credit.

    code: `quote-unknown`, `quote-foreign`, `quote-mismatch`, `quote-expired`, `quote-used`,
    `payment-malformed`, `payment-mismatch`, `payment-foreign`, `payment-expired`,
    `payment-replayed`, `payment-invalid` (the facilitator's verdict) or `payment-failed` (it
    could not be settled).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PaymentUnsettled(CallError):
    """The same request with the same payment goes on where this one stopped."""

    def __init__(self, message: str, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
