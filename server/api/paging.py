"""Where in a list, and how much of it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_PAGE = 200


class Paging(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cursor: Annotated[str, Field(max_length=200)] | None = None
    """`next_cursor` of the page before."""
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
