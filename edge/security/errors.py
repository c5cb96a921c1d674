"""What can go wrong between a person's PIN and the store's key."""

import math
from typing import ClassVar

from edge.errors import QafilaError


class SecurityError(QafilaError):
    """The store's key could not be had, or a secret could not be kept."""

    code: ClassVar[str] = "security-error"


class WrongPin(SecurityError):
    """The PIN does not open the slot: ask again, after the delay."""

    code: ClassVar[str] = "wrong-pin"

    def __init__(self) -> None:
        super().__init__(
            "User or PIN is wrong.",
            next_step="Try again. After four wrong PINs in a row each further try has to wait.",
        )


class UnknownUser(WrongPin):
    """There is no such user. Told in the same words as a wrong PIN, so that names cannot be tried out."""


class PinTooWeak(SecurityError):
    """Choose another PIN."""

    code: ClassVar[str] = "pin-too-weak"


class TooManyAttempts(SecurityError):
    """Wait, then try again; it is never for ever.

    Attributes:
        wait_s: how long, in seconds.
    """

    code: ClassVar[str] = "too-many-attempts"

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            f"Too many wrong PINs: wait {max(1, math.ceil(wait_s))} s.",
            next_step="Wait and try again, or ask a supervisor to sign in.",
        )
        self.wait_s = wait_s


class SlotsMissing(SecurityError):
    """There is no slot file where one should be."""

    code: ClassVar[str] = "slots-missing"


class SlotsExist(SecurityError):
    """A slot file is there already; it is never written over by making a new one."""

    code: ClassVar[str] = "slots-exist"


class SlotsDamaged(SecurityError):
    """No copy of the slot file is as it was written."""

    code: ClassVar[str] = "slots-damaged"


class SlotsOutdated(SecurityError):
    """The slot file is older than the store: somebody put an old copy back."""

    code: ClassVar[str] = "slots-outdated"


class UserExists(SecurityError):
    """This user has a slot already."""

    code: ClassVar[str] = "user-exists"


class NoSuchUser(SecurityError):
    """A supervisor named somebody who has no slot."""

    code: ClassVar[str] = "no-such-user"

    def __init__(self) -> None:
        super().__init__(
            "Nobody signs in here under this name.", next_step="Look at qafila users list for the names."
        )


class LastSupervisor(SecurityError):
    """Nobody would be left who can let others in."""

    code: ClassVar[str] = "last-supervisor"

    def __init__(self) -> None:
        super().__init__(
            "This is the unit's last supervisor.", next_step="Make another person supervisor first."
        )


class DeviceSecretMissing(SecurityError):
    """The device secret is not where the configuration says."""

    code: ClassVar[str] = "device-secret-missing"


class DeviceSecretDamaged(SecurityError):
    """The file is no device secret, or not as it was written."""

    code: ClassVar[str] = "device-secret-damaged"


class DeviceSecretWrong(SecurityError):
    """It is a device secret, but not the one these slots were sealed with."""

    code: ClassVar[str] = "device-secret-wrong"


class DeviceSecretExists(SecurityError):
    """A device secret is there already; it is never written over."""

    code: ClassVar[str] = "device-secret-exists"


class HelperRefused(SecurityError):
    """The configured helper is not run, or gives nothing."""

    code: ClassVar[str] = "secret-helper-refused"


class AgentRunning(SecurityError):
    """Another process holds this unit's store."""

    code: ClassVar[str] = "agent-running"


class SecretNotKept(SecurityError):
    """The disk did not take a file; what was there before is still there."""

    code: ClassVar[str] = "security-not-saved"
