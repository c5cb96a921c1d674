"""The device secret of a unit: its sources as configured, and its second copy."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar, Final

from cli.unit_toml import replace_text
from edge.clock import SystemClock
from edge.config import Places, UnitConfig, load
from edge.errors import QafilaError
from edge.security import device_secret
from edge.security.secret_sources import SecretSources

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


def make_copy(places: Places, file: Path) -> dict[str, Any]:
    """Write the second copy and name it in ``unit.toml``.

    Raises:
        CopyRefused: there is one already, or it would lie on the first.
        SecurityError: the secret cannot be read, or the medium does not take it.
    """
    config = load(places.config)
    target = file.absolute()
    if config.security.device_secret_copy is not None:
        raise CopyRefused(
            f"{places.config} names a second copy already.",
            next_step="Remove `device_secret_copy` there if that copy is lost, then make another.",
        )
    secret = secret_sources(places, config).read()
    device_secret.copy(secret, target)
    line = f"device_secret_copy = {json.dumps(str(target), ensure_ascii=False)}\n"
    text = places.config.read_text(encoding="utf-8")
    found = _SECTION.search(text)
    if found is None:
        text = f"{text.rstrip()}\n\n[security]\n{line}"
    else:
        text = text[: found.end()] + line + text[found.end() :]
    replace_text(places.config, text, None)
    secret_sources(places, load(places.config)).read()  # notes that it was seen
    return {"device_secret_copy": str(target)}
