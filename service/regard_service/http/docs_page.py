"""The reference of the JSON API as a page, from its OpenAPI document: no script, nothing from elsewhere."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_CODE = re.compile(r"`([^`]+)`")
_SCHEMAS = "#/components/schemas/"


def page(document: Json) -> str:
    """Returns the page: every operation with its parameters, body, answer and an example, then every schema."""
    info = document["info"]
    body = "\n".join(_body(document))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{_escaped(info["title"])}: JSON API</title>
<link rel="stylesheet" href="/assets/docs.css">
<body>
{body}
</body>
</html>
"""


def _body(document: Json) -> Iterator[str]:
    operations = [
        (verb.upper(), path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    links = (
        f'<li><a href="#{each["operationId"]}"><b>{verb}</b> <code>{_escaped(path)}</code></a></li>'
        for verb, path, each in operations
    )
    yield '<nav aria-label="Operations"><a href="/">Playground</a><ul>' + "".join(links)
    yield '<li><a href="#schemas">Schemas</a></li></ul></nav>'
    yield f"<main><h1>JSON API</h1>{_prose(document['info']['description'])}"
    yield '<p>Tools and generated clients read <a href="/openapi.json">the OpenAPI document</a>.</p>'
    for verb, path, operation in operations:
        yield from _operation(verb, path, operation, document)
    yield '<h2 id="schemas">Schemas</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</main>"


def _operation(verb: str, path: str, operation: Json, document: Json) -> Iterator[str]:
    yield f'<section><h2 id="{operation["operationId"]}"><b>{verb}</b> <code>{_escaped(path)}</code></h2>'
    yield _prose(operation["description"])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for example in content.get("examples", {}).values():
        yield f'<pre tabindex="0"><code>{_escaped(_curl(path, example["value"]))}</code></pre>'
    if content:
        yield f"<p>Body: {_type(content['schema'])}.</p>"
    rows = ((p["name"], p["schema"], f"{p['description']} ({p['in']})") for p in operation["parameters"])
    yield _table("parameter", rows)
    answers = ((status, _resolved(answer, document)) for status, answer in operation["responses"].items())
    yield "<dl>" + "".join(_answer(status, answer) for status, answer in answers) + "</dl></section>"


def _answer(status: str, answer: Json) -> str:
    [(media_type, content)] = answer["content"].items()
    kind = _type(content["schema"])
    return f"<dt>{status} <code>{media_type}</code> {kind}</dt><dd>{_prose(answer['description'])}</dd>"


def _resolved(answer: Json, document: Json) -> Json:
    name = str(answer.get("$ref", "")).rpartition("/")[2]
    found: Json = document["components"]["responses"][name] if name else answer
    return found


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f'<section><h3 id="{name}"><code>{name}</code></h3>{_prose(schema["description"])}'
    required = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    rows = (
        (field, each, ("Required. " if field in required else "") + each.get("description", ""))
        for field, each in fields
    )
    if fields:
        yield _table("field", rows)
    yield "</section>"


def _table(what: str, rows: Iterator[tuple[str, Json, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{_escaped(name)}</code></td><td>{_type(schema)}</td><td>{_prose(text)}</td></tr>"
        for name, schema, text in rows
    )
    return f"<table><thead><tr><th>{what}</th><th>type</th><th></th></tr></thead><tbody>{cells}</tbody></table>"


def _type(schema: Json) -> str:
    """Returns a schema in words: its type as a link, its bounds and its default."""
    if "oneOf" in schema:
        return " or ".join(map(_type, schema["oneOf"]))
    name = str(schema.get("$ref", ""))
    kind = schema.get("type", "")
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if name.startswith(_SCHEMAS):
        name = name.removeprefix(_SCHEMAS)
        text = f'<a href="#{name}"><code>{name}</code></a>'
    elif "items" in schema:
        text = f"list of {_type(schema['items'])}"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return ", ".join([text, *bounds])


_BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "minItems": "at least",
    "maxItems": "at most",
    "default": "by default",
    "contentEncoding": "in",
}


def _curl(path: str, value: object) -> str:
    body = json.dumps(value, ensure_ascii=False).replace("'", "'\\''")
    return f"curl localhost:8080{path} -H 'content-type: application/json' \\\n  -d '{body}'"


def _prose(text: str) -> str:
    """Returns a comment as HTML: paragraphs, items, code."""
    blocks = []
    for line in filter(None, text.split("\n")):
        words = _CODE.sub(r"<code>\1</code>", _escaped(line.removeprefix("- ")))
        blocks.append(f"<li>{words}</li>" if line.startswith("- ") else f"<p>{words}</p>")
    listed = "".join(blocks)
    return re.sub(r"(?:<li>.*?</li>)+", lambda found: f"<ul>{found[0]}</ul>", listed)


def _escaped(text: object) -> str:
    return html.escape(str(text), quote=False)
