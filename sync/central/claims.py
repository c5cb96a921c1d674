"""Claims that were handed out: for one unit each, for one box, until a certain time.

``claims/UNIT`` holds the token's hash and, once a box has used it, which request that was: the same box may
ask again after a lost answer, and nobody else any more. A later claim for a unit takes the former's place.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, ClassVar, Final

from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import authorities
from sync.central.home import CentreHome
from sync.wire import claims
from sync.wire.claims import Claim
from sync.wire.topics import UNIT_ID

_HOUR_MS: Final = 3_600_000


class ClaimNotTaken(QafilaError):
    """A claim is not made, or not honoured; nothing was changed."""

    code: ClassVar[str] = "claim-wrong"


def make(home: CentreHome, unit: str, host: str, port: int, *, hours: int, clock: Clock) -> Claim:
    """Make a claim for a unit; it is kept here by its hash alone.

    Raises:
        ClaimNotTaken: no unit can be called so, or it is revoked.
        ClaimRefused: nobody can connect to such a host.
        CentreError: there is no centre, or it has no certificate authority.
    """
    home.read_settings()
    claims.check_host(host)
    if not UNIT_ID.fullmatch(unit):
        raise ClaimNotTaken(
            "No unit can be called so.",
            next_step="use 2 to 31 of a-z, 0-9 and hyphen, such as van-07.",
            code="unit-refused",
        )
    if authorities.revoked(home, unit):
        raise ClaimNotTaken(
            f"{unit} is revoked.",
            next_step="give the box a name of its own with `qafila unit init --id`.",
            code="unit-revoked",
        )
    authorities.newest(home, authorities.HOSTS)
    authority = authorities.der(authorities.believed(home, authorities.HOSTS)[-1])
    claim = Claim(
        *(unit, host, port, claims.make_token()),
        claims.authority_of(authority),
        claims.roots_of(home.read_roots()),
    )
    until_ms = clock.now().wall_ms + hours * _HOUR_MS
    with _locked(home):
        _write(home, unit, {"token": _hash(claim.token), "until_ms": until_ms, "used_by": None})
    return claim


def redeem(
    home: CentreHome, unit: str, token: str, asked: bytes, clock: Clock, work: Callable[[], bytes]
) -> bytes:
    """Do ``work`` for whoever shows the token, once: afterwards only for the same request.

    Args:
        home: the centre.
        unit: whose claim it is.
        token: as it came.
        asked: the request, whose hash is noted.
        clock: for the claim's end.
        work: what is done for it; the claim stays as it was when that refuses.

    Raises:
        ClaimNotTaken: ``claim-wrong``, ``claim-ended`` or ``claim-used``; and what ``work`` raises.
    """
    with _locked(home):
        known = _read(home, unit)
        shown = hashlib.sha256(token.encode()).hexdigest()
        if known is None or not hmac.compare_digest(str(known["token"]), shown):
            raise ClaimNotTaken("No such claim is open.", next_step="have the centre make one.")
        if clock.now().wall_ms > int(known["until_ms"]):
            raise ClaimNotTaken(
                "The claim has ended.", next_step="have the centre make one.", code="claim-ended"
            )
        by = hashlib.sha256(asked).hexdigest()
        if known["used_by"] not in {None, by}:
            raise ClaimNotTaken(
                "The claim was used for another request.",
                next_step="have the centre make one.",
                code="claim-used",
            )
        done = work()
        if known["used_by"] is None:
            _write(home, unit, known | {"used_by": by})
        return done


def _hash(token: bytes) -> str:
    return hashlib.sha256(claims.token_text(token).encode()).hexdigest()


def _folder(home: CentreHome) -> Path:
    return home.directory / "claims"


@contextlib.contextmanager
def _locked(home: CentreHome) -> Generator[None]:
    _folder(home).mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(_folder(home) / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(home: CentreHome, unit: str) -> dict[str, Any] | None:
    if not UNIT_ID.fullmatch(unit):
        return None
    try:
        found = json.loads((_folder(home) / unit).read_bytes())
    except (OSError, ValueError):
        return None
    return dict(found) if isinstance(found, dict) and {"token", "until_ms", "used_by"} <= set(found) else None


def _write(home: CentreHome, unit: str, content: dict[str, Any]) -> None:
    authorities.replace(_folder(home) / unit, json.dumps(content).encode())
