"""What filters are made of, and what each part stands for; the parser is `filters`.

Nothing here raises or takes long, whatever the event holds: no arithmetic, no recursion into
the event, and only texts and numbers are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

Scalar = str | int | float | bool | None
Scope = Mapping[str, object]
Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


class Node(Protocol):
    """Part of an expression."""

    def value(self, scope: Scope) -> object:
        """What it stands for in `scope`. Never raises."""


def truth(value: object) -> bool:
    """Null, false, 0 and everything empty are false."""
    if isinstance(value, str | Sequence | Mapping):
        return len(value) > 0
    return value is not None and value is not False and value != 0


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, or a list of them."""

    constant: Scalar | tuple[Scalar, ...]

    def value(self, scope: Scope) -> object:
        return self.constant


@dataclass(frozen=True, slots=True)
class Path:
    """`call.metadata.order`, or null where that leads nowhere."""

    names: tuple[str, ...]

    def value(self, scope: Scope) -> object:
        found: object = scope
        for name in self.names:
            if not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    inner: Node

    def value(self, scope: Scope) -> object:
        return not truth(self.inner.value(scope))


@dataclass(frozen=True, slots=True)
class AllOf:
    """`a and b and …`."""

    parts: tuple[Node, ...]

    def value(self, scope: Scope) -> object:
        return all(truth(part.value(scope)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`a or b or …`."""

    parts: tuple[Node, ...]

    def value(self, scope: Scope) -> object:
        return any(truth(part.value(scope)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands and what is between."""

    left: Node
    operator: Comparison
    right: Node

    def value(self, scope: Scope) -> object:
        left, right = self.left.value(scope), self.right.value(scope)
        match self.operator:
            case "==":
                return _equal(left, right)
            case "!=":
                return not _equal(left, right)
            case "in":
                return _contains(right, left)
            case "not in":
                return not _contains(right, left)
            case order:
                return _ordered(order, left, right)


def _equal(left: object, right: object) -> bool:
    """As JSON: 1 is 1.0, but true is not 1."""
    if _is_number(left) and _is_number(right):
        return left == right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is right and (left is None or isinstance(left, bool))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(whole: object, part: object) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, Mapping):
        return isinstance(part, str) and part in whole
    return isinstance(whole, Sequence) and any(_equal(each, part) for each in whole)


def _ordered(operator: Literal["<", "<=", ">", ">="], left: object, right: object) -> bool:
    if not (
        (_is_number(left) and _is_number(right))
        or (isinstance(left, str) and isinstance(right, str))
    ):
        return False
    a, b = cast(float, left), cast(float, right)
    match operator:
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
