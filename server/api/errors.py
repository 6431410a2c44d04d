"""Everything `server.api` raises.

Problem                 an answer of 4xx or 5xx, in the form of RFC 9457
└── ValidationFailed    400: the request breaks the contract; names each field
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; nested names are joined by dots."""

    field: str
    message: str


class Problem(Exception):
    """A request that is answered with an error. `code`: the machine-readable reason."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        """reason: our own code, where `code` is a dialect's."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.reason = reason


class ValidationFailed(Problem):
    """The request breaks the contract."""

    def __init__(self, *errors: FieldError) -> None:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(400, "validation-failed", detail, errors=errors)
