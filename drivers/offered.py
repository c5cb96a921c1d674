"""Device kinds that other installed packages offer, by the entry-point group ``qafila.drivers``.

::

    [project.entry-points."qafila.drivers"]
    tallboy-s2 = "qafila_tallboy:KIND"

The name is the kind's, the object a `DeviceKind`. What cannot be used is left out and told: a fault in
somebody's package never takes the built-in devices with it. Loading runs the package's code with all that
this process may do; docs/tutorials/write-a-driver.md says what such code may rely on.
"""

import dataclasses
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import metadata
from typing import ClassVar, Final

from drivers import contained
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium, Option, Origin, Secret
from edge.ports.driver import DeviceEvent, DeviceUnavailable, Driver

GROUP: Final = "qafila.drivers"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LOG: Final = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # commands say it in words of their own; the agent has a log


class DriverRefused(DeviceUnavailable):
    """A package offers a driver that cannot be used.

    Attributes:
        kind: the entry point's name; of a package whose offers cannot be read, the package's.
    """

    code: ClassVar[str] = "driver-refused"

    def __init__(self, kind: str, sentence: str, next_step: str) -> None:
        super().__init__(sentence, next_step=next_step)
        self.kind = kind


@dataclasses.dataclass(frozen=True, slots=True)
class Offered:
    """What was found: the kinds by name, and what was left out."""

    kinds: Mapping[str, DeviceKind]
    refused: Sequence[DriverRefused]


class RefusedDriver:
    """Stands for a device whose driver cannot be used: the device is never there, and says why."""

    def __init__(self, key: str, refused: DriverRefused) -> None:
        self.key: Final = key
        self.kind: Final = refused.kind
        self._refused = refused

    def session(self) -> AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]:
        """On entering, raise `DriverRefused`."""
        return _Refusing(self._refused)


class _Refusing(AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]):
    def __init__(self, refused: DriverRefused) -> None:
        self._refused = refused

    async def __aenter__(self) -> AsyncIterator[DeviceEvent]:
        told = self._refused
        raise DriverRefused(told.kind, told.sentence, told.next_step)

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclasses.dataclass(frozen=True, slots=True)
class _Offer:
    origin: Origin
    point: metadata.EntryPoint


def find(taken: Mapping[str, DeviceKind]) -> Offered:
    """Load what every installed package offers; what is refused is logged too.

    Args:
        taken: the built-in kinds, whose names nobody else gets.
    """
    offers, refused = _offers()
    kinds: dict[str, DeviceKind] = {}
    for name, offered in sorted(offers.items()):
        try:
            kinds[name] = _checked(name, offered, taken)
        except DriverRefused as error:
            refused.append(error)
    for each in refused:
        _tell(each)
    return Offered(kinds, refused)


def _offers() -> tuple[dict[str, list[_Offer]], list[DriverRefused]]:
    """Every entry point of the group by its name, nothing loaded yet."""
    offers: dict[str, list[_Offer]] = {}
    refused: list[DriverRefused] = []
    for origin, distribution in _offering():
        try:
            for point in distribution.entry_points.select(group=GROUP):
                offers.setdefault(point.name, []).append(_Offer(origin, point))
        except Exception as fault:  # noqa: BLE001  anything may stand in somebody's file
            refused.append(
                DriverRefused(
                    origin.name,
                    f"The entry points of {origin} cannot be read: {type(fault).__name__}.",
                    "build the package anew, or remove it.",
                )
            )
    return offers, refused


def _offering() -> Iterator[tuple[Origin, metadata.Distribution]]:
    """The installed distributions that name the group; of two with one name, that which Python imports."""
    seen: set[str] = set()
    for distribution in metadata.distributions():
        try:
            # Looked into before it is parsed: one broken file of anybody's would else end the whole search.
            if GROUP not in (distribution.read_text("entry_points.txt") or ""):
                continue
        except (OSError, ValueError):
            continue  # it cannot name us in a file that is no text
        origin = _origin(distribution)
        same = re.sub(r"[-_.]+", "-", origin.name).lower()
        if same not in seen:
            seen.add(same)
            yield origin, distribution


def _origin(distribution: metadata.Distribution) -> Origin:
    try:
        facts = distribution.metadata
        name = facts["Name"] if "Name" in facts else "unknown"  # noqa: SIM401  its protocol has no get
        version = facts["Version"] if "Version" in facts else "unknown"  # noqa: SIM401  as above
        return Origin(name, version)
    except Exception:  # noqa: BLE001  a file may be missing, or hold anything
        return Origin("unknown", "unknown")


def _checked(name: str, offered: Sequence[_Offer], taken: Mapping[str, DeviceKind]) -> DeviceKind:
    """The kind of this name.

    Raises:
        DriverRefused: it cannot be used.
    """
    origin, point = offered[0].origin, offered[0].point
    if name in taken:
        raise DriverRefused(
            name, f"{origin} offers {name}, which Qafila has itself.", "give the kind a name of its own."
        )
    if len(offered) > 1:
        both = " and ".join(str(offer.origin) for offer in offered)
        raise DriverRefused(name, f"{name} is offered by {both}, so none of them is used.", "remove one.")
    if _NAME.fullmatch(name) is None:
        raise DriverRefused(
            name,
            f"{origin} offers a driver under a name that no kind can have.",
            "name it by small letters and digits, with single hyphens between.",
        )
    try:
        kind: object = point.load()
    except (Exception, SystemExit) as fault:  # loading runs whatever stands in the package
        raise DriverRefused(
            name,
            f"The driver {name} of {origin} cannot be loaded: {contained.where(fault)}.",
            f'mend or remove the package; python -c "import {point.value.partition(":")[0]}" shows it all.',
        ) from fault
    if not isinstance(kind, DeviceKind):
        raise DriverRefused(
            name,
            f"What {origin} offers as {name} is no DeviceKind.",
            "let the entry point name an object made with drivers.kinds.DeviceKind.",
        )
    if kind.kind != name:
        raise DriverRefused(
            name,
            f"The driver that {origin} offers as {name} has another name for its kind.",
            "give the entry point and the DeviceKind one name.",
        )
    if wrong := _wrong_field(kind):
        raise DriverRefused(
            name,
            f"The driver {name} of {origin} has a {wrong} of another type than a DeviceKind's.",
            "see drivers/kinds.py for the types; a type checker finds it.",
        )
    decode, make = contained.decode(origin, kind.decode), _making(kind, origin)
    secret = None if kind.secret is None else contained.secret(origin, kind.secret)
    return dataclasses.replace(kind, decode=decode, make_driver=make, secret=secret, origin=origin)


def _wrong_field(kind: DeviceKind) -> str | None:
    """The first field without its type: Python does not look, and every list of kinds would end there."""
    fits: dict[str, Callable[[object], bool]] = {
        "title": lambda value: isinstance(value, str),
        "transport": lambda value: isinstance(value, Medium),
        "evidence": lambda value: isinstance(value, Evidence),
        "models": _is_texts,
        "decode": callable,
        "make_driver": callable,
        "options": lambda value: isinstance(value, tuple) and all(isinstance(one, Option) for one in value),
        "secret": lambda value: value is None or isinstance(value, Secret),
        "looks": lambda value: (
            isinstance(value, Looks) and _is_texts(value.services) and _is_texts(value.names)
        ),
    }
    return next((field for field, is_fit in fits.items() if not is_fit(getattr(kind, field))), None)


def _is_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


def _making(kind: DeviceKind, origin: Origin) -> Callable[[DriverContext], Driver]:
    """``make_driver`` with a driver in any case; many a package loads its driver only here."""

    def make(context: DriverContext) -> Driver:
        try:
            driver = kind.make_driver(context)
            fits = (driver.key, driver.kind) == (context.key, kind.kind)
        except (Exception, SystemExit) as fault:  # noqa: BLE001  as above: it may be the first import of the driver
            why, next_step = contained.where(fault), "mend or remove the package."
        else:
            if fits:
                return contained.driver(origin, driver)
            why, next_step = "it is of another key or kind", "take both from the context and the Family."
        error = DriverRefused(
            kind.kind, f"The driver {kind.kind} of {origin} cannot be made: {why}.", next_step
        )
        _tell(error)
        return RefusedDriver(context.key, error)

    return make


def _tell(error: DriverRefused) -> None:
    told = {"kind": error.kind, "code": error.stable_code, "why": error.sentence, "next": error.next_step}
    _LOG.warning("driver refused", extra=told)
