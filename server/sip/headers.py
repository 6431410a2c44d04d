"""The header fields of one message, in their order."""

from collections.abc import Iterable, Iterator

from server.sip.grammar import header_name, split


class Headers:
    """Immutable (name, value) pairs; names in the core's spelling, values trimmed."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple((header_name(name), value) for name, value in fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Headers({list(self._fields)!r})"

    def get(self, name: str) -> str | None:
        """Return the first value under `name`, or None."""
        return next((value for key, value in self._fields if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every value under `name`, one per header line."""
        return [value for key, value in self._fields if key == name]

    def items(self, name: str) -> list[str]:
        """Return the elements of a comma-separated list, across lines (§7.3.1).

        Raises ParseError where a quote or a bracket stays open.
        """
        return [item.strip() for line in self.all(name) for item in split(line, ",")]

    def replaced(self, name: str, *values: str) -> "Headers":
        """Return a copy in which `values` stand where `name` first stood, or at the end."""
        fresh = [(name, value) for value in values]
        fields: list[tuple[str, str]] = []
        for field in self._fields:
            if field[0] == name:
                fields += fresh
                fresh = []
            else:
                fields.append(field)
        return Headers(fields + fresh)
