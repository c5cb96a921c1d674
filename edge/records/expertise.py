"""A request to a specialist: what it goes through, on the unit and at the centre alike. Pure.

Requests travel up as entries, what specialists say comes down as messages; both ends move one by this table.
"""

from enum import StrEnum
from typing import Final


class Urgency(StrEnum):
    """How soon an answer is needed, in FHIR's words (request-priority)."""

    ROUTINE = "routine"
    URGENT = "urgent"
    STAT = "stat"


AHEAD: Final = frozenset({Urgency.URGENT, Urgency.STAT})
"""These leave with the alerts, before everything else, and say all that is needed to understand them."""


class Act(StrEnum):
    """What kind of act it is. Source: Decree 2-18-378 on telemedicine (Morocco, 2018)."""

    TELE_EXPERTISE = "tele-expertise"
    TELECONSULTATION = "teleconsultation"
    TELEMONITORING = "telemonitoring"
    TELE_ASSISTANCE = "tele-assistance"
    MEDICAL_RESPONSE = "medical-response"


class Basis(StrEnum):
    """What allows it: the patient's consent, or an emergency in which there was no time to ask."""

    CONSENT = "consent"
    EMERGENCY = "emergency"


class RequestState(StrEnum):
    """Where a request is."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ANSWERED = "answered"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class RequestEvent(StrEnum):
    """What happens to a request: the first three at the centre, the others on the unit."""

    ACCEPT = "accept"
    DECLINE = "decline"
    REPLY = "reply"
    CLOSE = "close"
    WITHDRAW = "withdraw"


OPEN: Final = frozenset({RequestState.ASKED, RequestState.ACCEPTED})
"""Somebody still waits for an answer."""

TRANSITIONS: Final[dict[tuple[RequestState, RequestEvent], RequestState]] = {
    (RequestState.ASKED, RequestEvent.ACCEPT): RequestState.ACCEPTED,
    (RequestState.ASKED, RequestEvent.DECLINE): RequestState.DECLINED,
    (RequestState.ASKED, RequestEvent.REPLY): RequestState.ANSWERED,
    (RequestState.ASKED, RequestEvent.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.ACCEPTED, RequestEvent.DECLINE): RequestState.DECLINED,
    (RequestState.ACCEPTED, RequestEvent.REPLY): RequestState.ANSWERED,
    (RequestState.ACCEPTED, RequestEvent.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.DECLINED, RequestEvent.REPLY): RequestState.ANSWERED,
    (RequestState.DECLINED, RequestEvent.CLOSE): RequestState.CLOSED,
    (RequestState.DECLINED, RequestEvent.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.ANSWERED, RequestEvent.CLOSE): RequestState.CLOSED,
    # a second opinion that comes late has to be read, too
    (RequestState.CLOSED, RequestEvent.REPLY): RequestState.ANSWERED,
}
"""Every move. A pair that is absent changes nothing: late news is not news."""


def after(state: RequestState, event: RequestEvent) -> RequestState:
    """Where a request is once this has happened."""
    return TRANSITIONS.get((state, event), state)
