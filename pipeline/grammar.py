"""JSON Schema as GBNF, so that a model cannot but write values of that shape.

Keywords with a meaning here: type, enum, const, anyOf, oneOf, properties, required, items,
minItems, maxItems, minLength, maxLength, and a pattern of one bounded class (`^[0-9]{1,20}$`).
Others widen the grammar at most: the value is checked against the schema afterwards. Members
stand in the order required, optional; strings and lists are bounded, so that every value ends.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from pipeline.errors import ToolInvalid

LONGEST_STRING = 200
LONGEST_LIST = 8

_CLASS = re.compile(r"\^(\[[^\]\\]+\]\{\d+,\d+\})\$")
_SHARED = r"""char ::= [^"\\\x00-\x1f\x7f] | "\\" ["\\/nt]
string ::= "\"" char{0,LONGEST} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,6})?
boolean ::= "true" | "false"
null ::= "null"
scalar ::= string | number | boolean | null
any ::= scalar | "[" (scalar (", " scalar){0,7})? "]"
""".replace("LONGEST", str(LONGEST_STRING))
_TYPES = ("string", "integer", "number", "boolean", "null")

Schema = Mapping[str, object]


def gbnf(schema: Schema, *, again: str = "", times: int = 1) -> str:
    """A grammar of one value of the schema; or of several, up to `times`, with `again` between.

    Raises ToolInvalid for a schema that no value fits.
    """
    rules = _Rules()
    one = rules.named(rules.expression(schema))
    more = f" ({_literal(again)} {one}){{0,{times - 1}}}" if times > 1 else ""
    return f"root ::= {one}{more}\n{rules.text()}{_SHARED}"


class _Rules:
    """Rules made so far, each expression once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def text(self) -> str:
        return "".join(f"{name} ::= {expression}\n" for expression, name in self._names.items())

    def named(self, expression: str) -> str:
        return self._names.setdefault(expression, f"r{len(self._names)}")

    def expression(self, schema: object) -> str:
        if not isinstance(schema, Mapping):
            return "any"
        if "const" in schema:
            return _value(schema["const"])
        if _is_list(values := schema.get("enum")):
            return self._either([_value(value) for value in values])
        if _is_list(choices := schema.get("anyOf", schema.get("oneOf"))):
            return self._either([self.expression(choice) for choice in choices])
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._either([self.expression({**schema, "type": one}) for one in kind])
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return _string(schema)
        return str(kind) if kind in _TYPES else "any"

    def _either(self, expressions: Sequence[str]) -> str:
        if not expressions:
            raise ToolInvalid("a schema that allows no value at all")
        return "(" + " | ".join(dict.fromkeys(expressions)) + ")"

    def _object(self, schema: Schema) -> str:
        properties = schema.get("properties")
        members = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required", ())
        listed = required if _is_list(required) else ()
        needed = [name for name in listed if isinstance(name, str) and name in members]
        wanted = [self._member(name, members[name]) for name in needed]
        free = [self._member(name, members[name]) for name in members if name not in needed]
        if wanted:
            rest = "".join(f' (", " {member})?' for member in free)
            inside = ' ", " '.join(wanted) + rest
        else:
            starts = [
                member + "".join(f' (", " {later})?' for later in free[at + 1 :])
                for at, member in enumerate(free)
            ]
            inside = f"({' | '.join(starts)})?" if starts else ""
        return f'"{{" {inside} "}}"'

    def _member(self, name: str, schema: object) -> str:
        return self.named(f"{_literal(json.dumps(name) + ': ')} {self.expression(schema)}")

    def _array(self, schema: Schema) -> str:
        item = self.named(self.expression(schema.get("items")))
        most = min(_number(schema, "maxItems", LONGEST_LIST), LONGEST_LIST)
        least = _number(schema, "minItems", 0)
        most = max(most, least)
        if most == 0:
            return '"[]"'
        items = f'{item} (", " {item}){{{max(0, least - 1)},{most - 1}}}'
        return f'"[" {items} "]"' if least else f'"[" ({items})? "]"'


def _string(schema: Schema) -> str:
    pattern = _CLASS.fullmatch(str(schema.get("pattern", "")))
    if pattern:
        return f'"\\"" {pattern[1]} "\\""'
    least = _number(schema, "minLength", 0)
    most = max(least, min(_number(schema, "maxLength", LONGEST_STRING), LONGEST_STRING))
    if (least, most) == (0, LONGEST_STRING):
        return "string"
    return f'"\\"" char{{{least},{most}}} "\\""'


def _value(value: object) -> str:
    """A literal of one JSON value."""
    return _literal(json.dumps(value, ensure_ascii=False))


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(schema: Schema, key: str, otherwise: int) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) else otherwise


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)
