"""The device secret of a unit: its sources as configured, and its second copy."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from cli.unit_toml import NotWritten, replace_text
from edge.clock import SystemClock
from edge.config import Places, UnitConfig, load
from edge.errors import QafilaError
from edge.security import device_secret
from edge.security.errors import DeviceSecretWrong, SecretNotKept, SlotsDamaged
from edge.security.secret_sources import SecretSources
from edge.security.slots import Slots

_SECTION: Final = re.compile(r"^\[security\][^\n]*\n", re.MULTILINE)


class CopyRefused(QafilaError):
    """No second copy is made; nothing was changed."""

    code: ClassVar[str] = "secret-copy-refused"


def secret_sources(places: Places, config: UnitConfig) -> SecretSources:
    """Where this unit's device secret comes from."""
    return SecretSources(
        file=config.device_secret(places),
        copy=config.device_secret_copy(places),
        credential=config.security.device_secret_credential,
        helper=config.security.device_secret_helper,
        seen=places.store / "secret-copy.seen",
        wall_ms=lambda: SystemClock().now().wall_ms,
    )


def load_slots(places: Places, config: UnitConfig) -> Slots:
    """The key slots, opened with whichever source of the device secret fits them.

    Raises:
        SecurityError: no source gives a secret, none of them fits, or the slots are damaged or missing.
    """
    sources = secret_sources(places, config)
    first = sources.read()
    try:
        return Slots.load(places.slots, first)
    except (DeviceSecretWrong, SlotsDamaged):
        others = sources.every()
        if others == [first]:
            raise
    return Slots.load(places.slots, *others)


def name_media(places: Places, *, file: Path | None = None, copy: Path | None = None) -> None:
    """Have ``unit.toml`` name these media and no others: what was said of them before goes.

    Args:
        places: of the unit.
        file: of the device secret; it stays where it is when it is left out.
        copy: of its second copy; without one there is none.

    Raises:
        NotWritten, ConfigRefused: the file is as it was.
    """
    old = places.config.read_text(encoding="utf-8")
    words = {"device_secret_copy": copy} | ({} if file is None else {"device_secret": file})
    text = "".join(
        line
        for line in old.splitlines(keepends=True)
        if line.partition("=")[0].strip() not in words or line.lstrip().startswith("#")
    )
    lines = "".join(
        f"{word} = {json.dumps(str(path), ensure_ascii=False)}\n"
        for word, path in sorted(words.items())
        if path is not None
    )
    found = _SECTION.search(text)
    if found is None:
        text = f"{text.rstrip()}\n\n[security]\n{lines}" if lines else text
    else:
        text = text[: found.end()] + lines + text[found.end() :]
    _check_media(places, text, words)
    replace_text(places.config, text, None)


def _check_media(places: Places, text: str, words: Mapping[str, Path | None]) -> None:
    """Refuse a text that does not say what it was to say: a person may lay the file out otherwise."""
    try:
        said = UnitConfig.model_validate(tomllib.loads(text)).security
    except (tomllib.TOMLDecodeError, ValueError):
        said = None
    named = None if said is None else (said.device_secret, said.device_secret_copy)
    wanted = {word: None if path is None else str(path) for word, path in words.items()}
    now = load(places.config).security
    if named != (wanted.get("device_secret", now.device_secret), wanted["device_secret_copy"]):
        raise NotWritten(
            f"{places.config} cannot be changed as it is laid out.",
            next_step="Write `device_secret` and `device_secret_copy` below [security], a line each.",
        )


def on_a_medium(file: Path) -> Path:
    """Where a secret shall lie. A folder is never made for it: that would lie on the unit's own disk.

    Raises:
        SecretNotKept: there is no folder; most often the medium is not mounted.
    """
    target = file.absolute()
    if not target.parent.is_dir():
        raise SecretNotKept(
            f"There is no folder {target.parent}: nothing was written.",
            next_step="Put the medium in, see that it is mounted, and name a file on it.",
        )
    return target


def check_copy(file: Path, first: Path) -> None:
    """Refuse a place for the second copy before anything is done for the first.

    Raises:
        CopyRefused, SecretNotKept: it would lie on the first, or on something else, or nowhere.
    """
    target = on_a_medium(file)
    if target == first.absolute() or target.exists() or target.is_symlink():
        raise CopyRefused(
            f"{target} is taken: the second copy cannot lie there.",
            next_step="Name a file on another medium that is not there yet.",
        )


def beside_the_store(places: Places, file: Path) -> str:
    """What to say of a secret that whoever takes the card has too; else nothing."""
    try:
        same = file.stat().st_dev == places.store.stat().st_dev
    except OSError:
        return ""
    return f"{file} lies on the same disk as the store: whoever takes that disk has both.\n" if same else ""


def make_copy(places: Places, file: Path) -> dict[str, Any]:
    """Write the second copy and name it in ``unit.toml``.

    Raises:
        CopyRefused: there is one already, or it would lie on the first.
        SecurityError: the secret cannot be read, or the medium does not take it.
    """
    config = load(places.config)
    target = on_a_medium(file)
    if config.security.device_secret_copy is not None:
        raise CopyRefused(
            f"{places.config} names a second copy already.",
            next_step="Remove `device_secret_copy` there if that copy is lost, then make another.",
        )
    secret = secret_sources(places, config).read()
    device_secret.copy(secret, target)
    name_media(places, copy=target)
    secret_sources(places, load(places.config)).read()  # notes that it was seen
    return {"device_secret_copy": str(target)}
