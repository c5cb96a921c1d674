"""The tables of ``docs/reference/configuration.md``, from the models themselves.

``python -m edge.config.reference FILE`` writes them between the file's markers, one pair for each section;
what else stands there is a person's. A test compares.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.config.central import CentreConfig
from edge.config.unit import UnitConfig

_BEGIN: Final = "<!-- generated {name}: python -m edge.config.reference docs/reference/configuration.md -->"
_END: Final = "<!-- end of generated -->"
_BLOCK: Final = re.compile(
    re.escape(_BEGIN).replace(re.escape("{name}"), r"(?P<name>[a-z-]+)") + r".*?" + re.escape(_END), re.DOTALL
)
_CENTRES: Final = "broker"
"""A section that only a configuration of the centre's has."""
_OWN: Final[dict[str, Any]] = UnitConfig.model_json_schema()
_CENTRE: Final[dict[str, Any]] = CentreConfig.model_json_schema()
_SCHEMA: Final[dict[str, Any]] = {
    "$defs": _CENTRE["$defs"] | _OWN["$defs"],
    "properties": {_CENTRES: _CENTRE["properties"][_CENTRES]} | _OWN["properties"],
}


def sections() -> list[str]:
    """The names of all sections, in the order in which they are described."""
    return [*UnitConfig.model_fields, _CENTRES]


def described(text: str) -> list[str]:
    """The sections that a document has a place for."""
    return [found["name"] for found in _BLOCK.finditer(text)]


def put_into(text: str) -> str:
    """A document with its tables as they are now."""
    return _BLOCK.sub(lambda found: _section(found["name"]), text)


def _section(name: str) -> str:
    outer: Mapping[str, Any] = _SCHEMA["properties"][name]
    repeated = outer.get("type") == "array"
    inner = _resolve(outer["items"] if repeated else outer)
    required = set(inner.get("required", ()))
    title = f"[[{name}]]" if repeated else f"[{name}]"
    lines = [
        _BEGIN.format(name=name),
        f"## `{title}`",
        "",
        inner["description"] + (" One block for each." if repeated else ""),
        "",
        "| key | what | values | default |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{key}` | {of['description']} | {_values(of)} | {_default(key, of, required)} |"
            for key, of in inner["properties"].items()
        ),
        _END,
    ]
    return "\n".join(lines)


def _resolve(of: Mapping[str, Any]) -> Mapping[str, Any]:
    name = of.get("$ref", "").rpartition("/")[2]
    return _SCHEMA["$defs"][name] if name else of


def _values(of: Mapping[str, Any]) -> str:
    """What a value may be, in words; a text's own form stands in its description."""
    either = [each for each in of.get("anyOf", ()) if each.get("type") != "null"]
    if either:
        return _values(either[0])
    if "enum" in of:
        return ", ".join(f"`{json.dumps(each)}`" for each in of["enum"])
    words: dict[str, str] = {
        "integer": "whole number, {minimum} to {maximum}",
        "number": "number above {exclusiveMinimum}, up to {maximum}",
        "boolean": "true or false",
        "array": "list of texts",
        "object": "texts by name",
    }
    return words.get(of.get("type", ""), "text").format_map(of)


def _default(key: str, of: Mapping[str, Any], required: set[str]) -> str:
    if key in required:
        return "required"
    return "unset" if of.get("default") is None else f"`{json.dumps(of['default'])}`"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(put_into(path.read_text(encoding="utf-8")), encoding="utf-8")
