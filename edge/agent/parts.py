"""What the agent is given; `cli.wiring` knows the parts by name."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from edge.agent.portions import Sizes
from edge.clock import Clock
from edge.errors import QafilaError
from edge.notify import Service
from edge.ports.caller import Handler
from edge.ports.configuration import ConfigurationKeeper
from edge.ports.down import DownReader
from edge.ports.driver import Driver
from edge.ports.keysets import KeysetKeeper
from edge.ports.orders import OrderReader
from edge.ports.sealing import ReceiptReader, Sealer
from edge.ports.workshop import Workshop
from edge.security.kept_key import KeptKey
from edge.security.lockout import Lockout
from edge.security.slots import Slots
from edge.spool import Inbox, Outbox
from edge.store.ballast import Ballast
from edge.store.store import Store

MakeSealer: TypeAlias = Callable[[bytes, bytes], Sealer]
"""``make(epoch, sign_private)``: a sealer with a fresh session key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolment pinned on the box, ready for use.

    Attributes:
        version: changes whenever something else is pinned, such as the bundle's digest.
        make_sealer: seals to the keys of the pinned keyset.
        receipts: believes the keys of the pinned keyset.
        generations: the centre's generations that the keyset lists.
        recovery: the public recovery key, or None when the keyset has none.
        orders: believes orders to erase somebody; None where none are taken.
        keyset_version: of the pinned keyset.
        sealing_to: the names of the keys that it names to seal to.
        down: believes what else the centre says; None where nothing is taken.
    """

    version: bytes
    make_sealer: MakeSealer
    receipts: ReceiptReader
    generations: tuple[int, ...]
    recovery: bytes | None = None
    orders: OrderReader | None = None
    keyset_version: int = 0
    sealing_to: frozenset[bytes] = frozenset()
    down: DownReader | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """One configured device.

    Attributes:
        simulated: only in the training realm.
        port: as in unit.toml; empty where nobody looks after devices.
    """

    driver: Driver
    simulated: bool = False
    port: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Periods:
    """How many days things are kept on the box after the centre has opened them.

    Attributes:
        values: of visits, their alerts, and who looked at what; a patient's last visit stays.
        waves: samples of waves.
        attachments: bytes of photos and documents.
        frames: the bytes that devices sent.
        answers: what requests were answered, by the box's own clock.
    """

    values: int = 400
    waves: int = 7
    attachments: int = 30
    frames: int = 7
    answers: int = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How long the agent waits between looks; a test makes it quick.

    Attributes:
        device_retry_s: before a device that went away is opened again.
        mail_s: between looks into ``spool/in``.
        heartbeat_s: between heartbeats.
        audit_s: how long audit entries wait to be sealed.
        session_s: how long one session key is used.
        screen_lock_s: how long a session lasts without a sign of a person.
        store_lock_s: how long the store stays open without visit, numbers of a device, or requests.
        lock_look_s: between looks whether a lock is due.
        card_s: between looks at the disk.
        anew_s: between two times of asking whether the process can begin anew.
        trial_s: how long the store is open until a configuration of the centre's is kept or left.
        probe_s: from when on that the centre hears of it proves that the uplink works with it, too.
    """

    device_retry_s: float = 2.0
    mail_s: float = 0.25
    heartbeat_s: float = 1.0
    audit_s: float = 3600.0
    session_s: float = 24 * 3600.0
    screen_lock_s: float = 120.0
    store_lock_s: float = 900.0
    lock_look_s: float = 1.0
    card_s: float = 1.0
    anew_s: float = 30.0
    trial_s: float = 600.0
    probe_s: float = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """Everything the agent works with.

    Attributes:
        version: of this software, for `status`.
        open_store: opens the store with its key; called in the store's own thread.
        load_slots: reads the key slots with the device secret as they are now.
        lockout: counts wrong PINs.
        enrolled: what is pinned now, or None; asked every few looks, so a unit may be enrolled while it
            runs. It must be cheap when nothing has changed.
        serve: runs the local API with these handlers until cancelled.
        entropy: fresh random bytes.
        batch: how many entries a merged batch aims at.
        sizes: how much of what has bytes beside it goes into a message, and lies ready.
        reserve: what is given up when the disk is full, so that the open visit can be finished.
        preconditions: why nobody could sign in, such as a missing store or a damaged slot file, or None.
        database: the store's file, for giving it another key; None where that is not done.
        card: asks what is wrong with the disk of the store, as a code, or None; it may take its time.
        notes: what somebody should look after though everything works, as codes.
        papers: what lies beside the store and goes into a backup, by name.
        periods: how long what the centre has is kept here.
        workshop: for those who look after devices; None where devices are fixed.
        begins_anew: asked after a lock why this process could not begin anew, such as a configuration that
            would be refused; None where the one who runs the agent does not begin it again.
        keysets: pins the centre's public keys as they come; None where none are taken.
        configuration: keeps what the centre configures; None where nothing is taken.
        kept: holds the store's key over a restart of the agent; None where nobody does.
        certificate_until_ms: until when the unit's certificate is good, or None where there is none.
        publishes: whether what the unit says of itself is put where the uplink publishes it.
        service: hears that the agent is ready and that it lives; by itself nobody does.
    """

    unit: str
    realm: str
    version: str
    clock: Clock
    devices: Sequence[Device]
    open_store: Callable[[bytes], Store]
    load_slots: Callable[[], Slots]
    lockout: Lockout
    enrolled: Callable[[], Enrolled | None]
    outbox: Outbox
    inbox: Inbox
    serve: Callable[[Mapping[str, Handler]], Awaitable[None]]
    entropy: Callable[[int], bytes]
    batch: int = 200
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    reserve: Ballast | None = None
    preconditions: Callable[[], QafilaError | None] = lambda: None
    database: Path | None = None
    card: Callable[[], str | None] = lambda: None
    notes: Callable[[], list[str]] = list
    papers: Callable[[], dict[str, bytes]] = dict
    pace: Pace = dataclasses.field(default_factory=Pace)
    periods: Periods = dataclasses.field(default_factory=Periods)
    workshop: Workshop | None = None
    begins_anew: Callable[[], QafilaError | None] | None = None
    keysets: KeysetKeeper | None = None
    configuration: ConfigurationKeeper | None = None
    kept: KeptKey | None = None
    certificate_until_ms: Callable[[], int | None] = lambda: None
    publishes: bool = False
    service: Service = dataclasses.field(default_factory=lambda: Service(lambda: 0.0, {}))
