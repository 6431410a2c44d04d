"""The `filter` of webhooks and hooks: an expression over an event, parsed here and never eval'd.

    event.type == 'call.ended' and call.ended_reason != 'dial_busy'
    data.duration_s > 30 or 'refund' in data.content
    event.type in ['call.ended', 'call.analyzed'] and not call.metadata.test

    filter     = all *("or" all)            all     = each *("and" each)
    each       = "not" each / operand [("==" "!=" "<" "<=" ">" ">=" "in" "not in") operand]
    operand    = "(" filter ")" / list / literal / path
    list       = "[" [literal *("," literal)] "]"
    literal    = 'text' / "text" / number / true / false / null
    path       = ("event" / "call" / "data") *("." name)

A path that leads nowhere is null. Only like is ordered with like (numbers, texts); anything
else compares as false. Lists and objects equal nothing. `in` finds a text in a text, a value in
a list, a name in an object.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from server.calls.webhooks.errors import FilterInvalid
from server.calls.webhooks.expression import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Constant,
    Node,
    Not,
    Path,
    Scalar,
    Scope,
    truth,
)

MAX_CHARS = 500
MAX_DEPTH = 20
ROOTS = ("event", "call", "data")
SIGNS: tuple[Comparison, ...] = ("==", "!=", "<=", ">=", "<", ">", "in")
WORDS: Mapping[str, bool | None] = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None,
}  # fmt: skip
OPERATORS = frozenset({"and", "or", "not", "in"})
TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>'(?:[^'\\]|\\['"\\])*'|"(?:[^"\\]|\\['"\\])*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*)
    |(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)""",
    re.VERBOSE,
)
ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that may be asked again and again."""

    text: str
    root: Node

    def matches(self, scope: Scope) -> bool:
        """Whether the event is wanted; `scope` maps `event`, `call`, `data` to JSON objects."""
        return truth(self.root.value(scope))


def compile_filter(text: str) -> Filter:
    """Parse a filter. Raises `FilterInvalid`, which has the position."""
    if len(text) > MAX_CHARS:
        raise FilterInvalid(f"longer than {MAX_CHARS} characters", MAX_CHARS)
    return Filter(text, _Parser(text).whole())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


class _Parser:
    """Recursive descent; `MAX_DEPTH` bounds the recursion here and in evaluation."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        root = self._any()
        if self._peek.kind != "end":
            raise FilterInvalid("expected and, or, or the end", self._peek.position)
        return root

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._peek
        self._next += token.kind != "end"
        return token

    def _taken(self, text: str) -> bool:
        """Consume the next token where it is this word or sign."""
        if self._peek.kind in ("sign", "word") and self._peek.text == text:
            self._next += 1
            return True
        return False

    def _any(self) -> Node:
        parts = [self._every()]
        while self._taken("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _every(self) -> Node:
        parts = [self._each()]
        while self._taken("and"):
            parts.append(self._each())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _each(self) -> Node:
        start = self._peek.position
        if self._taken("not"):
            self._deeper(start)
            inner = self._each()
            self._depth -= 1
            return Not(inner)
        left = self._operand()
        operator = self._operator()
        return left if operator is None else Compare(left, operator, self._operand())

    def _operator(self) -> Comparison | None:
        for sign in SIGNS:
            if self._taken(sign):
                return sign
        if self._taken("not"):
            if not self._taken("in"):
                raise FilterInvalid("expected in", self._peek.position)
            return "not in"
        return None

    def _operand(self) -> Node:
        start = self._peek.position
        if self._taken("("):
            self._deeper(start)
            inner = self._any()
            self._depth -= 1
            if not self._taken(")"):
                raise FilterInvalid("expected )", self._peek.position)
            return inner
        if self._taken("["):
            return Constant(self._list())
        if self._peek.kind == "name" and self._peek.text not in WORDS:
            return _path(self._take())
        return Constant(self._literal())

    def _list(self) -> tuple[Scalar, ...]:
        if self._taken("]"):
            return ()
        values = [self._literal()]
        while self._taken(","):
            values.append(self._literal())
        if not self._taken("]"):
            raise FilterInvalid("expected ]", self._peek.position)
        return tuple(values)

    def _literal(self) -> Scalar:
        token = self._take()
        if token.kind == "text":
            return ESCAPE.sub(r"\1", token.text[1:-1])
        if token.kind == "number":
            return _number(token)
        if token.kind == "name" and token.text in WORDS:
            return WORDS[token.text]
        raise FilterInvalid("expected a value", token.position)

    def _deeper(self, position: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterInvalid(f"nested deeper than {MAX_DEPTH}", position)


def _tokens(text: str) -> list[_Token]:
    found = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise FilterInvalid(f"unexpected {text[position]!r}", position)
        kind, word = match.lastgroup, match.group()
        if kind == "name" and word in OPERATORS:
            kind = "word"
        if kind != "space":
            found.append(_Token(kind, word, position))
        position = match.end()
    return [*found, _Token("end", "", len(text))]


def _path(token: _Token) -> Path:
    names = tuple(token.text.split("."))
    if names[0] not in ROOTS:
        raise FilterInvalid(f"{names[0]!r} is none of {', '.join(ROOTS)}", token.position)
    return Path(names)


def _number(token: _Token) -> int | float:
    if token.text.lstrip("-").isdigit():
        return int(token.text)
    value = float(token.text)
    if not math.isfinite(value):
        raise FilterInvalid("the number is too large", token.position)
    return value
