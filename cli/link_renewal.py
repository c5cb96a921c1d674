"""A new key for the link, for a unit that has none yet or whose old one somebody else may have.

A certificate that only ends needs none of this: the centre answers the request that is there again, or sends
a new certificate over the link.
"""

from pathlib import Path
from typing import Any

from cli.files import write_new_file
from cli.signed_in import unlocked
from cli.unit_setup import NEXT_REQUEST_FILE
from cli.unit_tls import make_key
from edge.agent import payloads
from edge.clock import SystemClock
from edge.config import Places, load
from edge.records.fields import Kind, Stream
from edge.records.people import user_id
from edge.security.files import write_private
from sync.wire import enrolment

METHOD = "link.renew"


def renew(places: Places, user: str, pin: str, file: Path) -> dict[str, Any]:
    """Make a key, sign a request for its certificate with the unit's own key, and write it to ``file``.

    The key and certificate of before serve until `qafila unit enrol` installs the answer.

    Raises:
        QafilaError: an agent runs, the PIN is wrong, the person may not, or the file is in the way.
    """
    unit, realm = load(places.config).unit.id, load(places.config).unit.realm
    moment = SystemClock().now()
    with unlocked(places, user, pin, METHOD) as (_, store, _):
        identity = store.identity()
        request = enrolment.make_request(
            *(unit, realm, identity.sign_private, identity.recv_public, moment.wall_ms),
            make_key(places, unit),
        )
        write_new_file(file, request)
        asked = places.pinned / NEXT_REQUEST_FILE
        write_private(asked, request)
        asked.chmod(0o644)  # the uplink reads it
        with store.write() as tx:
            entry = payloads.stamp(moment, user_id(user)) | payloads.access(METHOD, "link")
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
    return {
        "unit": unit,
        "file": str(file),
        "fingerprint": enrolment.fingerprint(request),
        "words": enrolment.fingerprint_words(request),
    }
