"""The centre's keys over the years: made beside the ones that are used, used, and no longer believed.

Whatever kills a command between two of its steps, every key that the keyset names has its private half
here: that is written first, then the keyset, and only then does the new one take the old one's place.
"""

import contextlib
import dataclasses
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from edge import recovery
from edge.errors import QafilaError
from sync.central import database
from sync.central.database import Connection
from sync.central.exclusive import exclusive
from sync.central.home import CentreError, CentreHome, read_file, write_new
from sync.wire import cose, keys, sessions
from sync.wire import keyset as wire_keyset
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import MAX_GENERATIONS, MAX_KEYS, Key, Keyset, Use

PAIRS: Final = frozenset({Use.RECORDS})
"""Uses of which it takes two keys, of two people."""
STAYS: Final = frozenset({Use.SEAL_TO})
"""Uses whose former private key is still needed: it opens what was sealed before units knew better."""


class KeysRefused(QafilaError):
    """The keyset stays as it is."""

    code: ClassVar[str] = "keys-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class KeyStanding:
    """One key that the keyset names, or whose private half still lies here.

    Attributes:
        named: whether the keyset names it: else units that know this keyset believe it no more.
        file: where its private half lies, or None where it was taken away.
        waiting: batches that only this key opens; of use ``seal-to``.
    """

    use: str
    kid: str
    named: bool
    file: Path | None
    not_before_ms: int = 0
    not_after_ms: int | None = None
    waiting: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "file": None if self.file is None else str(self.file)}


@dataclasses.dataclass(frozen=True, slots=True)
class Ring:
    """The keyset as it stands.

    Attributes:
        units: the keyset's version that each enrolled unit has said it believes; None where it said nothing.
    """

    version: int
    keys: tuple[KeyStanding, ...]
    units: dict[str, int | None]

    def as_json(self) -> dict[str, Any]:
        return {"version": self.version, "keys": [key.as_json() for key in self.keys], "units": self.units}


def look(home: CentreHome) -> Ring:
    """What holds, what is still here, and who knows it.

    Raises:
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    keyset = home.read_keyset(home.read_settings().realm)
    files = dict(_private_files(home))
    connection = database.connect(home.database)
    try:
        waiting = _waiting(connection)
        units = {
            unit: None for (unit,) in connection.execute("SELECT unit FROM units ORDER BY unit").fetchall()
        }
        told = dict(connection.execute("SELECT unit, version FROM keysets_of_units").fetchall())
    finally:
        connection.close()
    named = {key.key for key in keyset.keys}
    standings = [
        KeyStanding(
            key.use,
            key.kid.hex(),
            named=True,
            file=files.get(key.kid),
            not_before_ms=key.not_before_ms,
            not_after_ms=key.not_after_ms,
            waiting=waiting.get(key.kid, 0),
        )
        for key in keyset.keys
    ]
    for kid, path in files.items():
        if kid not in {keys.kid(public) for public in named}:
            use = next((use.value for use in Use if path.name.startswith(use.value)), "")
            standings.append(KeyStanding(use, kid.hex(), named=False, file=path, waiting=waiting.get(kid, 0)))
    return Ring(keyset.version, tuple(standings), {unit: told.get(unit) for unit in units})


def rotate(home: CentreHome, use: Use, root: Path | None = None) -> list[Key]:
    """Make a new key for a use and name it before the ones that are there, which are believed as before.

    Args:
        home: the centre.
        use: what the key is for.
        root: the private root to sign with; the hot one when left out.

    Raises:
        KeysRefused: the use has no key yet, or its private halves still lie where new ones belong.
        CentreError: the centre's files are not as they should be.
    """
    return _make(home, use, root, there=True)


def add(home: CentreHome, use: Use, root: Path | None = None) -> list[Key]:
    """Make the first key for a use that this centre was made without.

    Raises:
        KeysRefused: the use has one.
        CentreError: the centre's files are not as they should be.
    """
    return _make(home, use, root, there=False)


def retire(home: CentreHome, kid: str, root: Path | None = None, *, compromised: bool = False) -> Keyset:
    """Name a key no more: units that know the new keyset do not believe it.

    Args:
        home: the centre.
        kid: which key, in hexadecimal.
        root: as in `rotate`.
        compromised: somebody else has it: it goes although nothing is left that works without it.

    Raises:
        KeysRefused: the keyset names no such key, or it is the only one of its use, or the one that is used.
        CentreError: the centre's files are not as they should be.
    """
    with _alone(home):
        keyset = home.read_keyset(home.read_settings().realm)
        gone = [key for key in keyset.keys if key.kid.hex() == kid]
        if not gone:
            raise KeysRefused(
                f"The keyset names no key {kid}.",
                next_step="see them with `qafila central keys list`.",
                code="key-unknown",
            )
        use = Use(gone[0].use)
        if len(keyset.of_use(use)) - len(gone) < (2 if use in PAIRS else 1) and not compromised:
            raise KeysRefused(
                f"Without this key nothing is left for {use}.",
                next_step=f"first make another with `qafila central keys rotate {use}`.",
                code="key-needed",
            )
        if _is_used(home, use, kid) and not compromised:
            raise KeysRefused(
                f"This is the key that the centre itself uses for {use}; without it its processes stop.",
                next_step=f"first make another with `qafila central keys rotate {use}`.",
                code="key-needed",
            )
        left = tuple(key for key in keyset.keys if key.kid.hex() != kid)
        return _sign(home, dataclasses.replace(keyset, version=keyset.version + 1, keys=left), root)


def add_generation(home: CentreHome, beyond: int, root: Path | None = None) -> int:
    """Name a new generation of the centre, higher than all that were; the centre was put back.

    Args:
        home: the centre.
        beyond: the highest that is known elsewhere.
        root: as in `rotate`.

    Raises:
        CentreError: the centre's files are not as they should be.
    """
    with _alone(home):
        keyset = home.read_keyset(home.read_settings().realm)
        generation = max(beyond, *keyset.generations) + 1
        generations = (*keyset.generations, generation)[-MAX_GENERATIONS:]
        new = dataclasses.replace(keyset, version=keyset.version + 1, generations=generations)
        _sign(home, new, root)
        return generation


def _make(home: CentreHome, use: Use, root: Path | None, *, there: bool) -> list[Key]:
    with _alone(home):
        keyset = home.read_keyset(home.read_settings().realm)
        _check_use(keyset, use, there=there)
        places = _places(home, use)
        offline = use in PAIRS or use is Use.RECOVERY
        if offline:
            _check_taken_away(places)
        privates = [_new_private(use) for _ in places]
        publics = [_public(use, private) for private in privates]
        beside = [
            path if offline else path.with_name(f"{path.stem}-{keys.kid(public).hex()}.key")
            for path, public in zip(places, publics, strict=True)
        ]
        for path, private in zip(beside, privates, strict=True):
            write_new(path, private)
        made = [Key(public, use) for public in publics]
        new = dataclasses.replace(keyset, version=keyset.version + 1, keys=(*made, *keyset.keys))
        _sign(home, new, root)
        for fresh, path in zip(beside, places, strict=True):
            if fresh != path:
                _take_the_place(fresh, path, use)
        return made


def _check_use(keyset: Keyset, use: Use, *, there: bool) -> None:
    known = bool(keyset.of_use(use))
    if known and not there:
        raise KeysRefused(
            f"There is a key for {use} already.",
            next_step=f"make another beside it with `qafila central keys rotate {use}`.",
            code="key-there",
        )
    if there and not known:
        raise KeysRefused(
            f"There is no key for {use} yet.",
            next_step=f"make the first with `qafila central keys add {use}`.",
            code="key-missing",
        )
    if len(keyset.keys) + 2 > MAX_KEYS:
        raise KeysRefused(
            "The keyset names as many keys as it may.",
            next_step="retire those that are not used with `qafila central keys retire`.",
            code="keys-too-many",
        )


def _check_taken_away(places: Sequence[Path]) -> None:
    for path in places:
        if path.exists():
            raise KeysRefused(
                f"{path} still lies here, where the new one belongs.",
                next_step="take it away first, as was said when it was made.",
                code="key-not-taken-away",
            )


def _places(home: CentreHome, use: Use) -> tuple[Path, ...]:
    if use is Use.RECORDS:
        return home.records_keys
    if use is Use.RECOVERY:
        return (home.recovery_key,)
    try:
        return (home.key_file(use),)
    except KeyError:  # nothing of this version signs with it
        return (home.directory / f"{use.value}.key",)


def _is_used(home: CentreHome, use: Use, kid: str) -> bool:
    """Whether a process of this centre signs or opens with it; a former one may lie beside it."""
    if use in PAIRS or use is Use.RECOVERY:
        return False
    with contextlib.suppress(OSError, ValueError):  # not here, or not for us to read
        return any(keys.kid(_public(use, path.read_bytes())).hex() == kid for path in _places(home, use))
    return False


def _new_private(use: Use) -> bytes:
    makers: dict[Use, Callable[[], bytes]] = {
        Use.SEAL_TO: keys.make_sealing,
        Use.RECOVERY: recovery.make_private,
    }
    return makers.get(use, keys.make_signing)()


def _public(use: Use, private: bytes) -> bytes:
    makers: dict[Use, Callable[[bytes], bytes]] = {
        Use.SEAL_TO: keys.sealing_public,
        Use.RECOVERY: recovery.public,
    }
    return makers.get(use, keys.signing_public)(private)


def _take_the_place(fresh: Path, path: Path, use: Use) -> None:
    if path.exists():
        with contextlib.suppress(PermissionError):  # whoever may not, made it as whom it belongs to
            owner = path.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)
        if use in STAYS:
            former = keys.kid(_public(use, path.read_bytes())).hex()
            with contextlib.suppress(FileExistsError):
                os.link(path, path.with_name(f"{path.stem}-{former}.key"))
    fresh.replace(path)
    _sync(path.parent)


def _sign(home: CentreHome, keyset: Keyset, root: Path | None) -> Keyset:
    """Sign, and put it in the place of the one that is there once it is known to be believed."""
    path = home.hot_key if root is None else root
    try:
        raw = wire_keyset.sign(keyset, read_file(path))
        read = wire_keyset.read(raw, home.read_roots(), keyset.realm)
    except (EnvelopeRefused, ValueError) as refused:  # ValueError: not even the length of a key
        raise KeysRefused(
            f"{path} is none of this centre's two roots, so no unit would believe what it signs.",
            next_step="name the right one with --root.",
            code="root-wrong",
        ) from refused
    new = home.keyset.with_name(f".keyset-{secrets.token_hex(4)}")
    try:
        write_new(new, raw)
        new.replace(home.keyset)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise CentreError(
            f"{home.keyset} cannot be written: {error.strerror}.",
            next_step="run this command as the user the centre belongs to, on a disk that can be written.",
            code="centre-unwritable",
        ) from error
    _sync(home.directory)
    return read


@contextlib.contextmanager
def _alone(home: CentreHome) -> Generator[None]:
    home.read_settings()
    with exclusive(home.directory / "keys.lock", "command that changes keys"):
        yield


def _private_files(home: CentreHome) -> Iterator[tuple[bytes, Path]]:
    """The private keys that lie here, by the name of their public half."""
    for use in Use:
        for place in _places(home, use):
            for path in sorted({place, *place.parent.glob(f"{place.stem}-*.key")}):
                with contextlib.suppress(OSError, ValueError):
                    yield keys.kid(_public(use, path.read_bytes())), path


def _waiting(connection: Connection) -> dict[bytes, int]:
    """By sealing key, how many batches wait whose session is sealed to it and to none of the others."""
    rows = connection.execute(
        "SELECT sessions.raw, count(*) FROM sessions JOIN landing ON landing.unit = sessions.unit"
        " AND landing.session = sessions.session WHERE landing.settled = 0 AND sessions.raw IS NOT NULL"
        " GROUP BY sessions.unit, sessions.session, sessions.raw"
    ).fetchall()
    waiting: dict[bytes, int] = {}
    for raw, n in rows:
        with contextlib.suppress(EnvelopeRefused):
            recipients = sessions.recipients(cose.read(raw).payload)
            if len(recipients) == 1:
                waiting[recipients[0]] = waiting.get(recipients[0], 0) + n
    return waiting


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
