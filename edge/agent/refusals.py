"""What the agent answers when it does not do what was asked: nothing of the request was done."""

import math
from typing import ClassVar

from edge.attachments.limits import SENTENCES
from edge.ports.caller import CallRefused


class SignInNeeded(CallRefused):
    """There is no session on this connection, or the store was locked since."""

    code: ClassVar[str] = "sign-in-needed"

    def __init__(self) -> None:
        super().__init__("Nobody is signed in here.", next_step="Sign in first.")


class ScreenLocked(CallRefused):
    """Nobody gave a sign on this connection for two minutes; what is measured meanwhile is kept."""

    code: ClassVar[str] = "screen-locked"

    def __init__(self) -> None:
        super().__init__("The screen is locked.", next_step="Sign in again; measuring goes on.")


class StoreLocked(CallRefused):
    """The store is locked; nothing is read or stored."""

    code: ClassVar[str] = "store-locked"

    def __init__(self) -> None:
        super().__init__("The store is locked.", next_step="Sign in to measure.")


class NoRecoverySlot(CallRefused):
    """The telephone cannot help: nothing here was sealed to the centre's recovery key yet."""

    code: ClassVar[str] = "no-recovery-slot"

    def __init__(self) -> None:
        super().__init__(
            "This unit cannot be opened by telephone.",
            next_step="Ask a supervisor of the unit. It works once somebody has signed in after enrolment.",
        )


class HasToWait(CallRefused):
    """Too many PINs or names were wrong; ``about`` says for how long none is tried, in seconds."""

    code: ClassVar[str] = "too-many-attempts"

    def __init__(self, wait_s: float, what: str = "PINs") -> None:
        wait = f"{max(1, math.ceil(wait_s))} s"
        super().__init__(
            f"Too many wrong {what}: wait {wait}.",
            next_step="Wait and try again, or ask a supervisor to sign in.",
            about=(wait,),
        )


class NotAllowed(CallRefused):
    """This role may not ask for this."""

    code: ClassVar[str] = "not-allowed"

    def __init__(self) -> None:
        super().__init__("Your role may not do this.", next_step="Ask a supervisor.")


class Unknown(CallRefused):
    """There is no patient, encounter, device or reading of this identity; the code says which."""

    code: ClassVar[str] = "unknown"


class BirthRefused(CallRefused):
    """Nobody is born in the future, as far as the box knows what day it is."""

    code: ClassVar[str] = "birth-in-future"

    def __init__(self) -> None:
        super().__init__("This day of birth has not come yet.", next_step="Correct the date of birth.")


class NameRefused(CallRefused):
    """One script stands in the other's field."""

    code: ClassVar[str] = "name-script"

    def __init__(self) -> None:
        super().__init__(
            "A name is in other letters than its field.",
            next_step="Write Latin letters in the first two fields and Arabic ones in the others, or only"
            " Arabic ones in the first two.",
        )


class IdentifierRefused(CallRefused):
    """An identifier has neither letter nor digit, or stands there twice."""

    code: ClassVar[str] = "identifier-refused"

    def __init__(self) -> None:
        super().__init__(
            "An identifier is empty, or given twice.",
            next_step="Give each identifier once, as it is written.",
        )


class PatientRefused(CallRefused):
    """Not with this patient as they are: ``patient-merged``, ``patient-changed``, ``patient-same``."""

    code: ClassVar[str] = "patient-refused"


class ConsentRefused(CallRefused):
    """Nothing was given that could be withdrawn, or one scope is decided twice."""

    code: ClassVar[str] = "consent-refused"


class ConsentNeeded(CallRefused):
    """The patient has not agreed that a specialist is asked, or has said no."""

    code: ClassVar[str] = "consent-needed"

    def __init__(self) -> None:
        super().__init__(
            "The patient has not agreed to tele-expertise.",
            next_step="Ask the patient and enter what they say; in an emergency say that it is one.",
        )


class AttachmentRefused(CallRefused):
    """A file is not taken; the code says why (`edge.attachments.limits.SENTENCES`)."""

    code: ClassVar[str] = "attachment-damaged"

    def __init__(self, code: str) -> None:
        known = code if code in SENTENCES else "attachment-damaged"
        sentence, next_step = SENTENCES[known]
        super().__init__(sentence, next_step=next_step, code=known)


class RequestRefused(CallRefused):
    """Not with this request as it is: ``request-unread``."""

    code: ClassVar[str] = "request-refused"


class SiteRefused(CallRefused):
    """A site is chosen by name or by identity, not by both and not by none."""

    code: ClassVar[str] = "site-refused"

    def __init__(self) -> None:
        super().__init__("The site is not clear.", next_step="Choose one of the list, or name a new one.")


class VisitRefused(CallRefused):
    """The visit is not in a state that allows this: ``encounter-open``, ``encounter-closed``."""

    code: ClassVar[str] = "visit-refused"


class ValueRefused(CallRefused):
    """A value cannot be true or is in a unit that is not accepted; ``about`` names the limits."""

    code: ClassVar[str] = "value-refused"


class ConfirmationNeeded(CallRefused):
    """Values are possible but rare; ``about`` names the limits to confirm."""

    code: ClassVar[str] = "value-needs-confirmation"


class NothingToTake(CallRefused):
    """The device shows no number now."""

    code: ClassVar[str] = "nothing-to-take"


class NoWorkshop(CallRefused):
    """This agent's devices are fixed."""

    code: ClassVar[str] = "devices-fixed"

    def __init__(self) -> None:
        super().__init__(
            "The devices of this agent are fixed.", next_step="Start the unit's own agent: qafila agent."
        )


class DeviceTaken(CallRefused):
    """The key or the port belongs to another device."""

    code: ClassVar[str] = "device-taken"


class DeviceBusy(CallRefused):
    """Somebody is doing the same with a device already."""

    code: ClassVar[str] = "device-busy"


class PairingFailed(CallRefused):
    """The device could not be paired; nothing of it was kept."""

    code: ClassVar[str] = "pairing-failed"


class SecretRefused(CallRefused):
    """It cannot be what unlocks such a device; what is kept stays."""

    code: ClassVar[str] = "secret-refused"


class CannotMeasure(CallRefused):
    """The device measures when its own button is pressed, and not when it is told to."""

    code: ClassVar[str] = "cannot-measure"

    def __init__(self) -> None:
        super().__init__("This device cannot be started from here.", next_step="Start it on the device.")


class NothingSeals(CallRefused):
    """Nothing is sealed now, so nothing can be sealed again."""

    code: ClassVar[str] = "nothing-seals"

    def __init__(self) -> None:
        super().__init__(
            "This unit seals nothing now: it is not enrolled, or the centre names no key to seal to.",
            next_step="Look at the problem that qafila status shows.",
        )


class NotQuarantined(CallRefused):
    """The centre has opened everything that it has, as far as it said."""

    code: ClassVar[str] = "nothing-quarantined"

    def __init__(self) -> None:
        super().__init__(
            "The centre has not said of anything that it cannot open it.",
            next_step="Look at what is received with qafila sync status.",
        )


class RequestReused(CallRefused):
    """The request's id was used for another request."""

    code: ClassVar[str] = "request-reused"


class SimulatedRefused(CallRefused):
    """A simulated value has no place in the production realm."""

    code: ClassVar[str] = "simulated-refused"
