"""The tables of ``docs/reference/local-api.md``, from the messages themselves.

``python -m edge.localapi.reference FILE`` writes them between the file's markers; a test compares.
"""

import sys
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from edge.localapi import shapes
from edge.localapi.messages import EVENTS, METHODS

BEGIN: Final = "<!-- generated: python -m edge.localapi.reference docs/reference/local-api.md -->"
END: Final = "<!-- end of generated -->"

_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "integer",
    bool: "true or false",
    UUID: "UUID",
    SecretStr: "text (secret)",
    NoneType: "null",
    Decimal: "decimal text",
    AwareDatetime: "time with zone",
}
_ALIASES: Final = {
    shapes.EntryIdentity: "[unit, epoch, stream, seq]",
    shapes.Code: "code",
    shapes.User: "user",
    shapes.Line: "text",
}


def tables() -> str:
    """All methods, the parts they share and all events, as Markdown."""
    parts: dict[str, type[BaseModel]] = {}
    lines = ["## Methods", ""]
    for name, method in METHODS.items():
        lines += [f"### `{name}`", "", method.does, "", *_fields("takes", method.takes, parts)]
        lines += [*_fields("answers", method.answers, parts)]
    lines += ["## Events", ""]
    for name, event in EVENTS.items():
        lines += [f"### `{name}`", "", *_about(event), *_fields("data", event, parts)]
    lines += ["## Parts", ""]
    described: set[str] = set()
    while rest := [name for name in sorted(parts) if name not in described]:
        for name in rest:
            described.add(name)
            lines += [f"### {name}", "", *_about(parts[name]), *_fields("fields", parts[name], parts)]
    return "\n".join(lines)


def put_into(text: str) -> str:
    """A document with what stands between its markers replaced by the tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}{END}{after}"


def _about(model: type[BaseModel]) -> list[str]:
    return [] if model is shapes.Nothing else [" ".join((model.__doc__ or "").split()), ""]


def _fields(title: str, model: type[BaseModel], parts: dict[str, type[BaseModel]]) -> list[str]:
    if not model.model_fields:
        return [f"*{title}*: nothing", ""]
    rows = [
        f"| `{name}` | {_type(_annotation(field), parts)} | {_default(field)} |"
        for name, field in model.model_fields.items()
    ]
    return [f"| {title} | type | default |", "| --- | --- | --- |", *rows, ""]


def _annotation(field: FieldInfo) -> Any:  # noqa: ANN401  an annotation can be anything
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _type(annotation: Any, parts: dict[str, type[BaseModel]]) -> str:  # noqa: ANN401  the same
    """An annotation in words; the models it names are collected in ``parts``."""
    alias = next((word for known, word in _ALIASES.items() if known == annotation), None)
    inner = get_args(annotation)
    match get_origin(annotation):
        case _ if alias is not None:
            words = alias
        case origin if origin is Annotated:
            words = _type(inner[0], parts)
        case origin if origin is Literal:
            words = ", ".join(f"`{value}`" for value in inner)
        case origin if origin is tuple:
            words = f"list of {_type(inner[0], parts)}"
        case origin if origin is dict:
            words = f"{_type(inner[1], parts)} by {_type(inner[0], parts)}"
        case _ if inner:
            words = " or ".join(_type(each, parts) for each in inner)
        case _:
            words = _name(annotation, parts)
    return words


def _name(annotation: type, parts: dict[str, type[BaseModel]]) -> str:
    if issubclass(annotation, BaseModel):
        parts[annotation.__name__] = annotation
    return _WORDS.get(annotation, annotation.__name__)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    empty = field.default_factory is not None or field.default in {None, ()}
    return "none" if empty else f"`{field.default}`"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(put_into(path.read_text(encoding="utf-8")), encoding="utf-8")
