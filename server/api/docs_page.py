"""The OpenAPI document as a page to read; one file, nothing is fetched from anywhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--line:#8884;--quiet:#777;--code:#8881}
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:17rem 1fr}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid var(--line);
padding:1rem;box-sizing:border-box;font-size:.85rem}nav ul{list-style:none;padding:0;margin:0}
nav h2{font-size:.85rem;margin:1rem 0 .25rem}nav a,main a{color:inherit}
main{padding:1rem 2rem;max-width:60rem;min-width:0}
section{border-top:1px solid var(--line);padding:1rem 0}
h3{font-family:ui-monospace,monospace;font-size:1rem;margin:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.85rem;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;
border-bottom:1px solid var(--line)}
code,pre{font-family:ui-monospace,monospace;font-size:.85rem}
pre{background:var(--code);padding:.75rem;overflow:auto;border-radius:6px}
summary{cursor:pointer;color:var(--quiet)}
.method{display:inline-block;min-width:4.2rem;font-weight:700}.quiet{color:var(--quiet)}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0}}
"""


def page(document: Mapping[str, Any]) -> str:
    """HTML of a document that `openapi.document` made."""
    by_face: dict[str, list[str]] = {}
    links: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            face, name = one["tags"][0], one["operationId"]
            by_face.setdefault(face, []).append("".join(_operation(path, method, one)))
            links.setdefault(face, []).append(
                f'<li><a href="#{name}">{method.upper()} {escape(path)}</a></li>'
            )
    info, schemas = document["info"], document["components"]["schemas"]
    menu = "".join(f"<h2>{escape(f)}</h2><ul>{''.join(each)}</ul>" for f, each in links.items())
    body = "".join(f"<h2>{escape(f)}</h2>{''.join(each)}" for f, each in by_face.items())
    models = "".join(_model(name, schemas[name]) for name in sorted(schemas))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>"
        f'<nav>{menu}<h2><a href="#models">Models</a></h2></nav><main>'
        f"<h1>{escape(info['title'])} API <small class=quiet>{escape(info['version'])}</small></h1>"
        f'<p>{_text(info["description"])}</p><p><a href="/openapi.json">openapi.json</a></p>'
        f'{body}<h2 id="models">Models</h2>{models}</main></body></html>'
    )


def _operation(path: str, method: str, one: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section id="{one["operationId"]}"><h3><span class="method">{method.upper()}</span> '
    public = " <small class=quiet>public</small>" if one.get("security") == [] else ""
    yield f"{escape(path)}{public}</h3><p>{_text(one['summary'])}</p>"
    if one["parameters"]:
        yield "<table><tr><th>parameter<th>in<th>type<th></tr>"
        for each in one["parameters"]:
            schema = each["schema"]
            about = each.get("description") or schema.get("description", "")
            need = " required" if each.get("required") else ""
            yield f"<tr><td><code>{escape(each['name'])}</code><td>{each['in']}{need}"
            yield f"<td>{_type(schema)}<td>{_text(about)}</tr>"
        yield "</table>"
    content = one.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        yield f"<p>Body: {_type(content['schema'])}</p>"
        for name, example in content.get("examples", {}).items():
            shown = json.dumps(example["value"], indent=2, ensure_ascii=False)
            yield f"<details><summary>{escape(name)}</summary><pre>{escape(shown)}</pre></details>"
    yield "<table><tr><th>status<th>body<th></tr>"
    for status, answer in one["responses"].items():
        kinds = ", ".join(_type(each["schema"]) for each in answer.get("content", {}).values())
        yield f"<tr><td>{status}<td>{kinds}<td>{_text(answer['description'])}</tr>"
    yield "</table></section>"


def _model(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each)}</code>{_required(each, schema)}"
        f"<td>{_type(of)}<td>{_text(of.get('description', ''))}</tr>"
        for each, of in schema.get("properties", {}).items()
    )
    table = f"<table><tr><th>field<th>type<th></tr>{rows}</table>" if rows else _type(schema)
    about = _text(schema.get("description", ""))
    return f'<section id="{escape(name)}"><h3>{escape(name)}</h3><p>{about}</p>{table}</section>'


def _required(name: str, schema: Mapping[str, Any]) -> str:
    return " <small class=quiet>required</small>" if name in schema.get("required", ()) else ""


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with links to models."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(_type(each) for each in schema[union])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(each))}</code>" for each in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    limits = ", ".join(
        f"{word} {escape(str(schema[key]))}" for key, word in LIMITS.items() if key in schema
    )
    kind = escape(str(schema.get("format") or schema.get("type") or "any"))
    default = schema.get("default")
    told = "" if default in (None, {}, []) else f" = <code>{escape(json.dumps(default))}</code>"
    return f"{kind}{told}" + (f" <small class=quiet>{limits}</small>" if limits else "")


LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "minLength": "at least",
    "maxLength": "up to",
    "maxItems": "up to",
    "maxProperties": "up to",
}


def _text(markdown: str) -> str:
    """Code spans and links within the page; nothing else is marked up."""
    parts = escape(markdown).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
