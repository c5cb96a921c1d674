"""Who may ask for what: a table, and nothing else decides."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is here to do."""

    NURSE = "nurse"
    SUPERVISOR = "supervisor"
    TECHNICIAN = "technician"


WITHOUT_SESSION: Final = frozenset({"status", "metrics", "sign-in", "recover.ask", "recover"})
"""What anybody may ask who may connect: nothing of a patient."""

_EVERYONE: Final = frozenset(Role)
_CARE: Final = frozenset({Role.NURSE, Role.SUPERVISOR})
_TECHNICAL: Final = frozenset({Role.SUPERVISOR, Role.TECHNICIAN})
_TECHNICIAN: Final = frozenset({Role.TECHNICIAN})
_SUPERVISOR: Final = frozenset({Role.SUPERVISOR})

ALLOWED: Final[dict[str, frozenset[Role]]] = {
    "sign-out": _EVERYONE,
    "present": _EVERYONE,
    "lock": _EVERYONE,
    "patient.register": _CARE,
    "patient.correct": _CARE,
    "patient.show": _CARE,
    "patient.trend": _CARE,
    "patient.consent": _CARE,
    "patient.merge": _SUPERVISOR,
    "patient.unmerge": _SUPERVISOR,
    "site.list": _EVERYONE,
    "site.arrive": _EVERYONE,
    "patient.likely": _CARE,
    "patient.list": _CARE,
    "patient.find": _CARE,
    "patient.export": _SUPERVISOR,
    "visit.sheet": _CARE,
    "encounter.open": _CARE,
    "encounter.close": _CARE,
    "encounter.show": _CARE,
    "visit.list": _CARE,
    "waveform.read": _CARE,
    "observe": _CARE,
    "observation.correct": _CARE,
    "take": _CARE,
    "alert.raise": _CARE,
    "tray.list": _CARE,
    "tray.assign": _CARE,
    "request.ask": _CARE,
    "request.list": _CARE,
    "request.show": _CARE,
    "request.withdraw": _CARE,
    "request.close": _CARE,
    "request.attach": _CARE,
    "attachment.bring": _CARE,
    "attachment.read": _CARE,
    "inbox.list": _CARE,
    "inbox.read": _CARE,
    "expected.list": _CARE,
    "snapshot": _EVERYONE,
    "subscribe": _EVERYONE,
    "users.add": _SUPERVISOR,
    "users.list": _EVERYONE,
    "users.pin": _SUPERVISOR,
    "users.role": _SUPERVISOR,
    "users.disable": _SUPERVISOR,
    "pin.change": _EVERYONE,
    "key.rotate": _SUPERVISOR,
    "break-glass": _TECHNICIAN,
    "device.scan": _TECHNICAL,
    "device.pair": _TECHNICAL,
    "device.passkey": _TECHNICAL,
    "device.forget": _TECHNICAL,
    "device.secret": _TECHNICAL,
    "device.test": _TECHNICAL,
    "device.listen": _EVERYONE,
    "device.record": _TECHNICAL,
    "device.measure": _CARE,
    "device.stop": _CARE,
    "recording.open": _TECHNICAL,
    "store.backup": _TECHNICAL,
    "store.verify": _TECHNICAL,
    "sync.quarantine": _EVERYONE,
    "sync.retry": _TECHNICAL,
    "sync.now": _EVERYONE,
}
"""Roles by method. A method that is missing here is for nobody; a test holds that none is."""

WHILE_STOPPED: Final[dict[str, frozenset[Role]]] = {
    "store.restore": _SUPERVISOR,
    "secret.renew": _SUPERVISOR,
    "link.renew": _TECHNICAL,
    "unit.retire": _SUPERVISOR,
}
"""The same for what a command does with the store while no agent runs; no connection can ask for it."""

PATIENT_TOPICS: Final = frozenset({"readings", "waves", "saved"})
"""Events that show a patient's values or name a patient; only for those who care for patients."""


def may(role: str, method: str) -> bool:
    """Whether somebody with this role may call this method."""
    return role in (ALLOWED.get(method) or WHILE_STOPPED.get(method, frozenset()))


def may_follow(role: str, topic: str) -> bool:
    """Whether somebody with this role may receive the events of this topic."""
    return topic not in PATIENT_TOPICS or role in _CARE
