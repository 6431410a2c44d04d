"""What every face does at the border: checked models in, JSON out, remarks on the side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from server.api.problem import validation_failed

WARNING_HEADER = "X-Offhook-Warning"
"""Where a dialect's answer has no place for warnings; one header field for each."""
MAX_WARNINGS = 20

M = TypeVar("M", bound=BaseModel)


class Wire(BaseModel):
    """Part of a dialect's request: unknown fields are ignored and told, nothing is converted."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Answer(BaseModel):
    """Part of a dialect's answer."""

    model_config = ConfigDict(
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


def checked(model: type[M], body: object) -> M:
    """The body as a model. Raises `ValidationFailed`."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise validation_failed(error) from None


def unknown_fields(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """A warning for each field of a dialect's request that its document does not have."""
    yield from (f"unknown-field:{prefix}{name}"[:100] for name in model.model_extra or ())
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        parts = value if isinstance(value, tuple) else (value,)
        for part in parts:
            if isinstance(part, BaseModel):
                yield from unknown_fields(part, f"{prefix}{field.alias or name}.")


def answer(
    body: BaseModel,
    status: int = 200,
    warnings: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A JSON answer; `warnings` go into its header."""
    response = web.Response(
        status=status,
        text=body.model_dump_json(),
        content_type="application/json",
        headers=headers,
    )
    for warning in warnings[:MAX_WARNINGS]:
        response.headers.add(WARNING_HEADER, warning.encode("ascii", "replace").decode())
    return response


def plain(model: BaseModel) -> dict[str, JsonValue]:
    """A model as JSON values."""
    dumped: dict[str, JsonValue] = model.model_dump(mode="json")
    return dumped
