"""Requests checked against Discord's own OpenAPI description.

It is read from ../shared/schemas, where that folder stands beside the project.
"""

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
FILE = ROOT.parent / "shared" / "schemas" / "discord-openapi.json"


@cache
def _document() -> Json | None:
    if not FILE.exists():
        return None
    answer: Json = json.loads(FILE.read_text())
    schemas = answer["components"]["schemas"]
    # Discord takes snowflakes as integers too, and discord.py sends some so.
    schemas["SnowflakeType"] = {
        "anyOf": [schemas["SnowflakeType"], {"type": "integer", "minimum": 0}]
    }
    return answer


@cache
def _validator(method: str, template: str) -> Draft202012Validator | None:
    document = _document()
    operation = (
        document["paths"].get(template, {}).get(method.lower())
        if document
        else None
    )
    if document is None or operation is None or "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator(
        {**schema, "components": document["components"]}
    )


def wrong(method: str, template: str, body: Any) -> str:
    """What Discord's schema says against a body; nothing when it agrees or is not at hand."""
    return "" if body is None else _wrong(method, template, json.dumps(body))


@lru_cache(maxsize=64)
def _wrong(method: str, template: str, text: str) -> str:
    """Looking through all commands takes more than a second: the same again is known."""
    validator = _validator(method, template)
    if validator is None:
        return ""
    error = best_match(validator.iter_errors(json.loads(text)))
    return f"{error.json_path}: {error.message[:300]}" if error else ""
