"""A new device secret and a new key of the store, because somebody may have the old ones.

The order is what a power cut cannot spoil. The configuration names the new medium with the old one beside
it before anything lies there, so whichever of the two the slots are sealed under is at hand. The store is
copied under its new key; then the slots are written, under the new secret and with the new key, which
decides; then the copy takes the store's place, and last the old medium is named no more. Wherever that is
cut short the unit opens, with both media in, and the same command goes on.
"""

import dataclasses
import secrets
from pathlib import Path
from typing import Any, ClassVar, Final

from cli.signed_in import unlocked
from cli.unit_secret import name_media, on_a_medium
from edge.agent import payloads
from edge.clock import SystemClock
from edge.config import Places, load
from edge.errors import QafilaError
from edge.records.fields import Kind, Stream
from edge.records.people import user_id
from edge.security import device_secret
from edge.security.errors import SecurityError
from edge.security.slots import KEY_BYTES, Slots
from edge.store import rekey
from edge.store.store import Store

RENEW: Final = "secret.renew"
_ROTATED: Final = "key.rotated"
_DISABLED: Final = "users.disable"


class RenewalRefused(QafilaError):
    """The device secret is not renewed; the unit opens as before."""

    code: ClassVar[str] = "secret-not-renewed"


@dataclasses.dataclass(frozen=True, slots=True)
class _Media:
    """Where the secret lay, and where the new one shall."""

    old: Path
    new: Path
    old_copy: Path | None


def renew(places: Places, user: str, pin: str, file: Path, remove: str | None) -> dict[str, Any]:
    """Make a new device secret at ``file`` and a new key of the store; finish what was cut short.

    Args:
        places: of a unit whose agent is stopped.
        user: the supervisor who signs in for it.
        pin: that person's.
        file: on another medium than the present one.
        remove: who shall sign in no more from then on.

    Raises:
        RenewalRefused: the medium is the present one.
        SecretNotKept: there is no such folder.
        NotAllowed, AgentRunning, SecurityError, StoreError: the unit opens as before.
    """
    target = on_a_medium(file)
    with unlocked(places, user, pin, RENEW) as (slots, store, key):
        store.close()
        config = load(places.config)
        media = _Media(config.device_secret(places), target, config.device_secret_copy(places))
        there = _read(target)
        if media.new == media.old and there is not None and slots.is_under(there):
            _only_if_cut_short(media, there)
            present = slots
        else:
            present = _renew(places, slots, key, user_id(user), media, remove)
        present.save()  # both copies, should the power have gone between them
        name_media(places, file=target)
    disabled = {each.user for each in present.users() if each.disabled}
    return {
        "device_secret": str(target),
        "former": [str(path) for path in (media.old, media.old_copy) if path not in {None, target}],
        "removed": None if remove is None or user_id(remove) not in disabled else user_id(remove),
    }


def _only_if_cut_short(media: _Media, secret: bytes) -> None:
    """Refuse a medium that is the present one already, unless the former is still named beside it."""
    if media.old_copy is None or _read(media.old_copy) == secret:
        raise RenewalRefused(
            f"{media.new} holds the present device secret already.",
            next_step="Put another medium in, and name a file on it that is not there yet.",
        )


def _renew(places: Places, slots: Slots, key: bytes, by: str, media: _Media, remove: str | None) -> Slots:
    """The whole change but for the configuration's end; the slots as they are then."""
    new_key = secrets.token_bytes(KEY_BYTES)
    left = slots if remove is None else slots.without(user_id(remove), key)
    secret = _put_in(places, media)
    new = left.rekeyed(new_key).under(secret)

    def mark(store: Store) -> None:
        stamp = payloads.stamp(SystemClock().now(), by)
        with store.write() as tx:
            tx.set_slots_generation(new.generation)
            tx.set_slots_intent(None)
            tx.set_key_due(due=False)
            for action in (RENEW, _ROTATED):
                tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(action))
            if remove is not None:
                tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(_DISABLED, user_id(remove)))

    rekey.prepare(places.database, key, new_key, mark)
    new.save()
    rekey.finish(places.database)
    return new


def _put_in(places: Places, media: _Media) -> bytes:
    """The new secret, on its medium, which the configuration names with the old one beside it."""
    if media.new == media.old:  # cut short before
        there = _read(media.new)
        return device_secret.make(media.new) if there is None else there
    if media.new.exists() or media.new.is_symlink():
        device_secret.make(media.new)  # refuses
    before = places.config.read_text(encoding="utf-8")
    name_media(places, file=media.new, copy=media.old)
    try:
        made = device_secret.make(media.new)
        if device_secret.read(media.new) != made:
            raise RenewalRefused(
                f"{media.new} gives back something else than was written to it.",
                next_step="Use another medium.",
                code="secret-medium-lies",
            )
    except QafilaError:
        from cli.unit_toml import replace_text  # only here: nothing else writes a text as it was

        replace_text(places.config, before, None)
        raise
    return made


def _read(file: Path) -> bytes | None:
    try:
        return device_secret.read(file)
    except SecurityError:
        return None
