"""Checked types that requests, agents and deployments are made of."""

import re
import unicodedata
from typing import Annotated, LiteralString, TypeVar

import phonenumbers
from phonenumbers import ValidationResult
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from server.calls.policy.numbers import WRITTEN, is_emergency_itself, is_emergency_user
from server.sip.errors import ParseError
from server.sip.uri import Uri

EMERGENCY: LiteralString = "emergency_number_blocked"
MAX_FACT_CHARS = 500
MAX_DESTINATION_CHARS = 256
SIP_URI = re.compile(r"sip:[!#-;=?A-Z_a-z~]{1,128}@[-.0-9A-Za-z:\[\]]{1,128}")
"""User, host and port only: a parameter or header could redirect the call."""
URL = re.compile(r"https?://[^\s\x00-\x20\x7f\\]+")


def destination(value: str) -> str:
    """Check a number in E.164, or a SIP URI. Raises ValueError.

    Whoever asks for an emergency number is told so, however it is written.
    """
    if len(value) > MAX_DESTINATION_CHARS:
        raise ValueError(f"longer than {MAX_DESTINATION_CHARS} characters")
    if _is_emergency(value):
        raise PydanticCustomError(EMERGENCY, "emergency numbers are never called")
    if not value.startswith("sip:"):
        return _number(value)
    if SIP_URI.fullmatch(value) is None:
        raise ValueError("not a SIP URI such as sip:alice@pbx.example.com:5060")
    try:
        Uri.parse(value)
    except ParseError as error:
        raise ValueError(f"not a SIP URI: {error}") from None
    return value


def _is_emergency(value: str) -> bool:
    if value.startswith("sip:"):
        return is_emergency_user(value.removeprefix("sip:").partition("@")[0])
    return WRITTEN.fullmatch(value) is not None and is_emergency_itself(value)


def _number(value: str) -> str:
    """E.164 as the numbering plans allow it: the right length for its country."""
    if not value.startswith("+") or not value[1:].isascii() or not value[1:].isdigit():
        raise ValueError("not an E.164 number: a plus sign and digits only, such as +14165550123")
    try:
        reason = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(value))
    except phonenumbers.NumberParseException:
        reason = ValidationResult.INVALID_COUNTRY_CODE
    if reason != ValidationResult.IS_POSSIBLE:  # a local number is no E.164
        raise ValueError("no such number is possible in its country's numbering plan")
    return value


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("holds control characters")
    return value


def _fact(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_FACT_CHARS:
        raise ValueError(f"longer than {MAX_FACT_CHARS} characters")
    if not isinstance(value, str | bool | int | float):
        raise ValueError("neither a string, a number nor a boolean")
    return value


def _url(value: str) -> str:
    if URL.fullmatch(value) is None:
        raise ValueError("not an http or https URL")
    return value


E164_SCHEMA: dict[str, JsonValue] = {
    "pattern": r"^\+[1-9][0-9]{1,14}$",
    "examples": ["+14155551234"],
}
Number = Annotated[
    str, Field(max_length=16, json_schema_extra=dict(E164_SCHEMA)), AfterValidator(_number)
]
ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line, fit for a SIP header field."""
LongText = Annotated[str, Field(min_length=1, max_length=4000)]
Fact = Annotated[str | bool | int | float, BeforeValidator(_fact)]
WebUrl = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"pattern": r"^https?://[!-\[\]-~]+$"}),
    AfterValidator(_url),
]
"""Where it leads is checked when it is called (`server.outward`)."""


T = TypeVar("T")
Many = Annotated[
    tuple[T, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
]
"""A JSON array; strict validation alone would take nothing but tuples."""


class Asked(BaseModel):
    """Part of a request: unknown fields are refused, nothing is converted silently."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
