"""
The page that shows what an app offers: every operation with an example, made from its OpenAPI document. Self-contained.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:60rem;margin:2rem auto;color:#1b1f24}
h1{font-size:1.4rem}section{border:1px solid #d0d7de;border-radius:6px;margin:.8rem 0;padding:.6rem 1rem}
code.m{display:inline-block;min-width:4rem;font-weight:700}
pre{background:#f6f8fa;padding:.6rem;overflow:auto;font-size:13px}
td{padding:.1rem .8rem .1rem 0;vertical-align:top}summary{cursor:pointer}p{margin:.3rem 0}
"""
_METHODS = ("get", "post", "put", "patch", "delete")
_DEPTH_MAX = 6


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = document.get("components", {}).get("schemas", {}).get(name, {}) if name else schema
    return found


def _stated(schema: dict[str, Any]) -> list[object]:
    """What the schema itself shows or fixes, the best first."""
    several = [one for key in ("examples", "enum") for one in schema.get(key, ())]
    return several + [schema[key] for key in ("example", "const", "default") if key in schema]


def example(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> object:
    """
    Return an example of a schema: its own first one, else one put together from those of its parts.
    """
    schema = _resolved(schema, document)
    if (stated := _stated(schema)) or depth > _DEPTH_MAX:
        return stated[0] if stated else None
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0], document, depth + 1)
    if "properties" in schema:
        return {name: example(part, document, depth + 1) for name, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example(schema.get("items", {}), document, depth + 1)]
    kinds = {"integer": schema.get("minimum", 1), "boolean": True, "string": "…", "object": {}}
    return kinds.get(str(schema.get("type")))


def _body(part: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    for kind, media in part.get("content", {}).items():
        shown = json.dumps(example(media.get("schema", {}), document), ensure_ascii=False, indent=2)
        yield f"<p><code>{escape(kind)}</code></p><pre>{escape(shown)}</pre>"


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f'<section><details><summary><code class="m">{method.upper()}</code> <code>{escape(path)}</code></summary>'
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    for scheme in operation.get("security", []):
        yield f"<p>授权 security: <code>{escape(', '.join(scheme))}</code></p>"
    yield from _body(operation.get("requestBody", {}), document)
    for status, response in operation["responses"].items():
        yield f"<p><b>{escape(status)}</b> {escape(response.get('description', ''))}</p>"
        if status.startswith("2"):
            yield from _body(response, document)
    yield "</details></section>"


def page(document: dict[str, Any]) -> str:
    """
    Return the page of an OpenAPI document; it loads nothing from anywhere.
    """
    info = document["info"]
    operations = [
        "".join(_operation(path, method, item[method], document))
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f'<p>OpenAPI: <a href="openapi.json">openapi.json</a></p>{"".join(operations)}</html>'
    )


def index(sites: Iterable[Mapping[str, str]]) -> str:
    """
    Return the page that lists the institutions of one process, with a way to the page of each.
    """
    rows = "".join(
        f'<tr><td><a href="{escape(one["at"])}/docs">{escape(one["at"])}</a></td>'
        f"<td>{escape(one['name'])}</td><td>{escape(one['code'])}</td></tr>"
        for one in sites
    )
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8"><title>rx-flow</title>'
        f"<style>{_STYLE}</style><h1>双通道电子处方 rx-flow</h1><table>{rows}</table></html>"
    )
