"""The devices we know, one line each, and those that other installed packages bring."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from drivers.devices import (
    berry_bci,
    contec_cms50,
    creative_pc300,
    healthypi,
    nmea_gps,
    nonin,
    omron_hem,
    polar_h10,
    sig_bp,
    sig_glucose,
    sig_heart_rate,
    sig_oximeter,
    sig_scale,
    sig_thermometer,
    suntech_nibp,
    viatom_pc60fw,
    wellue_o2ring,
)
from drivers.kinds import DeviceKind

if TYPE_CHECKING:
    from drivers.offered import DriverRefused, Offered

BUILT_IN: Final[dict[str, DeviceKind]] = {
    kind.kind: kind
    for kind in (
        contec_cms50.KIND,
        polar_h10.KIND,
        sig_bp.KIND,
        sig_glucose.KIND,
        sig_heart_rate.KIND,
        sig_oximeter.KIND,
        sig_thermometer.KIND,
        sig_scale.KIND,
        nmea_gps.KIND,
        nonin.KIND,
        suntech_nibp.KIND,
        healthypi.KIND,
        berry_bci.KIND,
        wellue_o2ring.KIND,
        viatom_pc60fw.KIND,
        creative_pc300.KIND,
        omron_hem.KIND,
        # one line for each further device
    )
}


class Kinds(Mapping[str, DeviceKind]):
    """All kinds by name, the built-in ones first.

    Other packages are looked for once, and only when somebody asks for a kind that is not built in, or for
    all of them: a unit that does without pays nothing for them.
    """

    def __init__(self, built_in: Mapping[str, DeviceKind]) -> None:
        self._built_in = built_in

    def __getitem__(self, kind: str) -> DeviceKind:
        found = self._built_in.get(kind)
        return self._offered.kinds[kind] if found is None else found

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._offered.kinds

    def __len__(self) -> int:
        return len(self._built_in) + len(self._offered.kinds)

    @property
    def refused(self) -> "Sequence[DriverRefused]":
        """What other packages offer and cannot be used, and why."""
        return self._offered.refused

    def refusal(self, kind: str) -> "DriverRefused | None":
        """Why a kind that somebody offers is not among these."""
        return next((refused for refused in self.refused if refused.kind == kind), None)

    @functools.cached_property
    def _offered(self) -> "Offered":
        from drivers.offered import find

        return find(self._built_in)


KINDS: Final = Kinds(BUILT_IN)
