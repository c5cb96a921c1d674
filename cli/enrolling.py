"""Enrolling over the network: a child that speaks as the uplink's user, and checks where no network is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Final

from cli.unit_setup import install_answer, request_of
from cli.waiting import waiting
from edge.config import Places, load
from edge.errors import QafilaError
from sync.wire.claims import Claim

_MARGIN_S: Final = 60.0


class OnlineRefused(QafilaError):
    """The unit is not enrolled by this claim; nothing was changed."""

    code: ClassVar[str] = "enrolment-refused"


def enrol_online(places: Places, line: str, wait_s: int) -> dict[str, Any]:
    """Bring the unit's request to the centre that made the claim, and install its answer.

    Args:
        places: of a unit.
        line: the claim.
        wait_s: how long to try while the centre cannot be reached.

    Raises:
        ClaimRefused: it is none. OnlineRefused: it is another unit's, or the centre refuses.
        UnitRefused: the answer is not to be believed; nothing was changed.
    """
    claim, unit = Claim.parse(line), load(places.config).unit.id
    if claim.unit != unit:
        raise OnlineRefused(
            f"The claim is for another unit than {unit}.",
            next_step=f"have the centre make one: qafila central claim {unit}.",
            code="claim-of-another-unit",
        )
    settings = {"claim": claim.line(), "request": request_of(places).hex(), "wait_s": wait_s}
    with waiting(f"Asking the centre at {claim.host}.", wait_s):
        answer = _ask(places, settings, wait_s)
    if "code" in answer:
        raise OnlineRefused(answer["sentence"], next_step=answer["next"], code=answer["code"])
    told = install_answer(places, bytes.fromhex(answer["bundle"]), "The answer", roots=claim.roots)
    return told | {"sent": answer["sent"], "received": answer["received"]}


def _ask(places: Places, settings: dict[str, Any], wait_s: int) -> dict[str, Any]:
    """What the child brought back: the bundle, or why there is none."""
    descriptor = os.memfd_create("enrolment", 0)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(settings).encode())
        file.flush()
        file.seek(0)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sync.uplink.est", "--fd", str(descriptor)],
            pass_fds=(descriptor,),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=wait_s + _MARGIN_S,
            check=False,
            **_as_uplink(places.uplink),
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise OnlineRefused(
            "Asking the centre came to no end.", next_step="give the command again; the claim stays good."
        ) from None
    return dict(answer)


def _as_uplink(directory: Path) -> dict[str, Any]:
    """Who speaks to the network, where the folder of the uplink says that it is somebody else than us."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = directory.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
