"""A new key for the link: the old one serves until the answer is installed, whatever is cut short."""

from pathlib import Path

import pytest

from cli import link_renewal
from cli.unit_setup import copy_request, describe, install_bundle, installed, make_unit
from edge.agent.refusals import NotAllowed
from edge.clock import SystemClock
from edge.config import Places
from edge.errors import QafilaError
from sync.central import setup
from sync.central.home import CentreHome
from sync.uplink.credentials import key_file
from sync.wire import enrolment
from sync.wire.enrolment import Broker

PIN = "829461"
TLS = (Broker("127.0.0.1", 8883, tls=True),)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places.at(tmp_path / "van")
    make_unit(made, realm="training", unit="van-07", user="fatima", pin=PIN)
    return made


@pytest.fixture
def centre(tmp_path: Path) -> CentreHome:
    home = CentreHome(tmp_path / "central")
    setup.init(home, "training", TLS)
    return home


def answer(centre: CentreHome, request: Path) -> Path:
    bundle = request.with_suffix(".bundle")
    bundle.write_bytes(setup.enrol(centre, request.read_bytes(), SystemClock())[1])
    return bundle


def held_key(places: Places) -> Path:
    pinned = installed(places)
    assert pinned is not None
    assert pinned.certificate is not None
    return key_file(places.uplink, pinned.certificate.key)


def test_a_unit_is_made_with_a_key_for_the_link(places: Places, centre: CentreHome, tmp_path: Path) -> None:
    copy_request(places, tmp_path / "request")
    install_bundle(places, answer(centre, tmp_path / "request"))
    assert held_key(places).stat().st_mode & 0o777 == 0o600
    assert [held_key(places)] == list(places.uplink.glob("*.key"))


def test_a_new_key_is_taken_with_the_answer(places: Places, centre: CentreHome, tmp_path: Path) -> None:
    copy_request(places, tmp_path / "request")
    first = answer(centre, tmp_path / "request")
    install_bundle(places, first)
    old = held_key(places)
    done = link_renewal.renew(places, "fatima", PIN, tmp_path / "again")
    assert held_key(places) == old
    assert done["fingerprint"] == enrolment.fingerprint((tmp_path / "again").read_bytes())
    assert copy_request(places, tmp_path / "again")["fingerprint"] == done["fingerprint"]
    install_bundle(places, first)  # an answer to the old one is one still
    assert held_key(places) == old
    install_bundle(places, answer(centre, tmp_path / "again"))
    assert held_key(places) != old
    assert held_key(places).exists()
    assert describe(places)["fingerprint"] == done["fingerprint"]
    with pytest.raises(QafilaError) as refused:
        install_bundle(places, first)
    assert refused.value.stable_code == "bundle-refused"


def test_a_power_cut_before_the_request_is_exchanged_changes_nothing(
    places: Places, centre: CentreHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_request(places, tmp_path / "request")
    install_bundle(places, answer(centre, tmp_path / "request"))
    link_renewal.renew(places, "fatima", PIN, tmp_path / "again")
    bundle = answer(centre, tmp_path / "again")
    with monkeypatch.context() as cut:
        cut.setattr("cli.unit_setup._keep_what_is_answered", lambda *_: None)
        install_bundle(places, bundle)
    new = held_key(places)
    install_bundle(places, bundle)
    assert held_key(places) == new


def test_it_takes_somebody_s_pin(places: Places, tmp_path: Path) -> None:
    with pytest.raises(QafilaError):
        link_renewal.renew(places, "fatima", "000001", tmp_path / "request")
    assert not (tmp_path / "request").exists()
    assert len(list(places.uplink.glob("*.key"))) == 1


def test_a_nurse_may_not(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.signed_in.may", lambda *_: False)
    with pytest.raises(NotAllowed):
        link_renewal.renew(places, "fatima", PIN, tmp_path / "request")


def test_a_bundle_with_tls_and_no_certificate_is_refused(
    places: Places, centre: CentreHome, tmp_path: Path
) -> None:
    """As a centre answers that has no authorities: the unit could connect to nobody."""
    for path in (centre.directory / "tls").glob("units-*"):
        path.unlink()
    copy_request(places, tmp_path / "request")
    with pytest.raises(QafilaError) as refused:
        install_bundle(places, answer(centre, tmp_path / "request"))
    assert refused.value.stable_code == "certificate-missing"
