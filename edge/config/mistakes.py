"""What is wrong in a configuration, for the person who wrote it: which line, what, and what was meant."""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

Place: TypeAlias = tuple[int | str, ...]
"""Where a value stands: names of sections and keys, and the number of a repeated section from 0."""

_UNKNOWN: Final = "extra_forbidden"
_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")
_QUOTES: Final = "\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"
"""Typographic quotes, which word processors put in the place of straight ones."""
_PLAIN: Final = {
    "bool": "Write true or false, without quotes.",
    "int": "Write a whole number, without quotes.",
    "float": "Write a number, without quotes.",
    "string": 'Write it in quotes, as {key} = "…".',
    "tuple": 'Write a list, as {key} = ["…"].',
    "list": 'Write a list, as {key} = ["…"].',
    "dict": 'Write it in braces, as {key} = {{ name = "…" }}.',
    "model": "It is a section: write its keys below a line with its name in brackets.",
}
"""What to write for each type, by the first word of the checker's own name for the mistake."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One of them.

    Attributes:
        line: from 1, or None where a look at the text does not tell.
        key: sections and key joined by dots; empty where the file is no TOML, or for a rule between keys.
        sentence: what is wrong, without where.
        next_step: what to do about it.
    """

    line: int | None
    key: str
    sentence: str
    next_step: str


def in_the_form(text: str, error: tomllib.TOMLDecodeError | RecursionError) -> Mistake:
    """Why a text is no TOML."""
    if isinstance(error, RecursionError):
        return Mistake(None, "", "It is not TOML: brackets within brackets without end.", "Correct it.")
    message = str(error)
    found = _LINE.search(message)
    lines = text.splitlines()
    number = len(lines) if found is None or found[1] is None else int(found[1])
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    said = _LINE.sub("", message).strip() or "it ends too early"
    return Mistake(number or None, "", f"It is not TOML: {said}.", _what_was_meant(line, said))


def in_the_values(text: str, model: type[BaseModel], errors: Sequence[Mapping[str, Any]]) -> list[Mistake]:
    """What a model has against a text, as pydantic tells it; misspelt keys first.

    A misspelt key is a missing one too, and its spelling is what helps.
    """
    unknown_first = sorted(errors, key=lambda each: each["type"] != _UNKNOWN)
    return [_of(text, model, each) for each in unknown_first]


def line_of(text: str, where: Place) -> int | None:
    """The line that names the last key of ``where``, as far as a look at the text can tell."""
    names = [part for part in where if isinstance(part, str)]
    nth = next((part for part in where if isinstance(part, int)), 0)
    if not names:
        return None
    header = re.compile(rf"^\s*\[\[?\s*\"?{re.escape(names[0])}\"?\s*\]\]?")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if header.match(line)]
    if len(names) == 1 or not starts:
        return starts[0] if starts else _find_key(text, names[0], 0)
    if nth >= len(starts):
        return None
    return _find_key(text, names[-1], starts[nth]) or starts[nth]


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _of(text: str, model: type[BaseModel], error: Mapping[str, Any]) -> Mistake:
    where: Place = error["loc"]
    name = ".".join(str(part) for part in where)
    line = line_of(text, where)
    if error["type"] == _UNKNOWN:
        return Mistake(line, name, f"the key `{name}` is unknown.", _meant_key(model, where))
    if error["type"] == "missing":
        return Mistake(line, name, f"the key `{name}` is missing.", f"Add {_where_to_add(where)}.")
    reason = str(error["msg"]).removeprefix("Value error, ")
    sentence = f"`{name}`: {reason}." if name else f"{reason}."
    return Mistake(line, name, sentence, _meant_value(where, error))


def _where_to_add(where: Place) -> str:
    names = [part for part in where if isinstance(part, str)]
    if len(names) < 2:
        return f"the section [{names[0]}]"
    return f"it below [{names[0]}]" if len(where) == len(names) else f"it to that [[{names[0]}]]"


def _meant_key(model: type[BaseModel], where: Place) -> str:
    """The nearest key of that section, else the section to which the key belongs."""
    wrong = str(where[-1])
    near = difflib.get_close_matches(wrong, _known_keys(model, where[:-1]), n=1, cutoff=0.5)
    homes = [name for name in model.model_fields if wrong in _known_keys(model, (name,))]
    if wrong in homes:
        homes.remove(wrong)
    if homes and (not near or near[0] != wrong):
        return f"`{wrong}` belongs below [{homes[0]}]."
    return f"Did you mean `{near[0]}`?" if near else "Remove it."


def _known_keys(model: Any, section: Place) -> list[str]:  # noqa: ANN401  followed through annotations
    """The keys allowed in a section; none where it holds no keys of its own."""
    for part in section:
        if isinstance(part, int):
            continue
        if part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = [each for each in getattr(annotation, "__args__", ()) if isinstance(each, type)]
        model = inner[0] if inner else annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)


def _meant_value(where: Place, error: Mapping[str, Any]) -> str:
    kind, key = str(error["type"]), str(where[-1]) if where else ""
    context = error.get("ctx", {})
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = difflib.get_close_matches(str(error.get("input", ""))[:64], allowed, n=1, cutoff=0.5)
        return f'Did you mean "{near[0]}"?' if near else f"Write one of: {', '.join(allowed)}."
    if kind in {"tuple_type", "list_type"} and isinstance(error.get("input"), Mapping):
        return f"Put its name in double brackets: [[{key}]]."
    plain = _PLAIN.get(kind.partition("_")[0])
    if plain is not None and kind.partition("_")[2] in {"type", "parsing", "from_float"}:
        return plain.format(key=key)
    return "Correct the value; docs/reference/configuration.md says what it may be."


def _what_was_meant(line: str, said: str) -> str:
    before, equals, _ = line.partition("=")
    signs = (
        (line.startswith("\ufeff"), "Save the file without a byte-order mark, as plain UTF-8."),
        (
            any(quote in line for quote in _QUOTES),
            'Put straight quotes (") in the place of the typographic ones.',
        ),
        (
            not equals and "\t" in line.strip(),
            "There is a tab where = should stand: write key = value.",
        ),
        (not equals and ":" in before, "Write = in the place of the colon: key = value."),
        ("\\" in line, "Put a text with a backslash in single quotes: 'C:\\dir'."),
        ("overwrite" in said or "twice" in said, "It stands there twice: keep one of them."),
        ("value" in said.lower(), 'Put a text in quotes: key = "value".'),
    )
    return next(
        (advice for fits, advice in signs if fits), "Correct that line: key = value, below its [section]."
    )


def _find_key(text: str, key: str, after: int) -> int | None:
    pattern = re.compile(rf"^\s*\"?{re.escape(key)}\"?\s*=")
    for number, line in enumerate(text.splitlines(), 1):
        if number > after and pattern.match(line):
            return number
        if number > after and after and line.lstrip().startswith("["):
            return None
    return None
