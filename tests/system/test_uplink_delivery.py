"""Whatever the link, the broker and the uplink suffer: every file arrives at the centre, at least once."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.records.fields import Stream
from tests.sync.uplink_rig import Box, Centre, CentreKeys, digest
from tests.system.brokers import Broker, EmbeddedBroker, Mosquitto, cut_link
from tests.system.uplink_process import Uplink, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture
def keys() -> CentreKeys:
    return CentreKeys()


@pytest.fixture
def uplink(tmp_path: Path, keys: CentreKeys) -> Iterator[Uplink]:
    """Not started; its brokers are named by the test."""
    made = Uplink(tmp_path, keys, [])
    yield made
    made.kill()


@pytest.fixture
def box(uplink: Uplink, keys: CentreKeys) -> Box:
    return Box(keys, uplink.spool_out)


def aim(uplink: Uplink, port: int) -> None:
    uplink.settings["brokers"] = [{"host": "127.0.0.1", "port": port, "tls": False}]


def test_files_saved_without_a_broker_arrive_once_there_is_one(
    any_broker: Broker, uplink: Uplink, box: Box
) -> None:
    aim(uplink, any_broker.port)
    any_broker.stop()
    uplink.start()
    for stream in (Stream.VITALS, Stream.AUDIT, Stream.VITALS, Stream.ALERT):
        box.save(stream)
    until(lambda: uplink.lines("broker-unreachable"))
    any_broker.start()
    with Centre(box, any_broker.port) as centre:
        until(centre.holds_all)
        words = [word for word, _ in centre.order]
        assert words[:2] == ["key", "alert"]
        before = digest(box.spool_out)
        box.save(Stream.VITALS)
        until(centre.holds_all)
        until(uplink.receipts)
        until((uplink.notes / "outages.json").exists)
    assert before.items() <= digest(box.spool_out).items()
    (away,) = uplink.lines("broker-unreachable")  # told once, not at every attempt
    assert "The broker cannot be reached." in away
    assert "next=Check the network and the broker's address." in away
    assert uplink.lines("link up")


def test_a_receipt_is_on_disk_soon_after_a_save(any_broker: Broker, uplink: Uplink, box: Box) -> None:
    aim(uplink, any_broker.port)
    with Centre(box, any_broker.port) as centre, uplink:
        box.save()
        until(centre.holds_all)
        until(uplink.receipts)
        took_s: list[float] = []
        for _ in range(3):  # the best of three: the machine may have other work
            before = uplink.receipts()
            begin = time.monotonic()
            box.save()
            until(lambda before=before: set(uplink.receipts()) - set(before))  # type: ignore[misc]  # bound now
            took_s.append(time.monotonic() - begin)
            until(lambda: len(uplink.receipts()) == 1)  # the older is removed once the newer is there
        assert min(took_s) < 2


@pytest.mark.parametrize("fault", ["cut", "hole"])
def test_a_link_that_fails_in_mid_flight_loses_nothing(
    mosquitto: Mosquitto, uplink: Uplink, box: Box, fault: str
) -> None:
    dice = random.Random(7)  # noqa: S311  a seed, not a secret
    with Centre(box, mosquitto.port) as centre, cut_link(mosquitto.port) as link:
        aim(uplink, link.port)
        uplink.start()
        for _ in range(2):
            for _ in range(10):
                box.save(n=dice.randrange(1, 30), size=dice.randrange(10, 20_000))
            until(lambda: uplink.link().get("connected"))
            time.sleep(dice.uniform(0.0, 0.2))
            link.say(fault)
            box.save(Stream.ALERT)
            until(lambda: not uplink.link()["connected"])
            assert uplink.link()["sent"] == []  # what was sent on a dead connection is only saved again
            link.say("open")
        until(centre.holds_all)


def test_a_broker_that_forgets_what_it_acknowledged_loses_nothing(
    any_broker: Broker, uplink: Uplink, box: Box
) -> None:
    """It acknowledges, nobody is there to take it, and it dies, again and again."""
    aim(uplink, any_broker.port)
    uplink.start()
    names: list[str] = []
    for _ in range(6 if any_broker.speaks_5 else 2):
        names += [box.save() for _ in range(3)]
        until(lambda: uplink.link().get("connected") and len(uplink.link()["sent"]) >= 2)
        time.sleep(0.1)
        any_broker.kill()
        until(lambda: not uplink.link()["connected"])
        any_broker.start()
    with Centre(box, any_broker.port) as centre:
        until(centre.holds_all, 60)
    assert set(names) <= set(digest(box.spool_out))


def test_a_centre_that_lands_without_answering_is_sent_everything_again(
    mosquitto: Mosquitto, uplink: Uplink, box: Box
) -> None:
    aim(uplink, mosquitto.port)
    with Centre(box, mosquitto.port) as centre:
        centre.silent = True
        uplink.start()
        name = box.save()
        first = ("vitals", 1, 3)
        until(lambda: centre.copies[first] >= 3)
        assert uplink.lines("receipt-overdue")
        assert len(uplink.lines("receipt-overdue")) == 1
        centre.silent = False
        until(uplink.receipts)
        until(lambda: uplink.lines("receipts come again"))
        copies = centre.copies[first]
        time.sleep(2)
        assert centre.copies[first] == copies  # receipted, so never sent again
        assert name in digest(box.spool_out)  # and removed by nobody but the agent


def test_a_batch_the_centre_drops_does_not_hold_up_the_rest(
    mosquitto: Mosquitto, uplink: Uplink, box: Box
) -> None:
    aim(uplink, mosquitto.port)
    with Centre(box, mosquitto.port) as centre:
        centre.ignore.add("alert")
        for _ in range(4):
            box.save(Stream.ALERT, size=3000)
        for _ in range(20):
            box.save(Stream.VITALS)
        uplink.start()
        until(lambda: centre.holds_all(Stream.VITALS, Stream.AUDIT))
        assert not centre.holds_all(Stream.ALERT)
        centre.ignore.clear()
        until(centre.holds_all)


def test_lost_notes_lose_nothing(any_broker: Broker, uplink: Uplink, box: Box) -> None:
    aim(uplink, any_broker.port)
    with Centre(box, any_broker.port) as centre:
        for _ in range(3):
            uplink.start()
            box.save()
            until(lambda: uplink.link().get("connected"))
            box.save()
            uplink.kill()
            shutil.rmtree(uplink.notes, ignore_errors=True)
        uplink.start()
        until(centre.holds_all)


def test_dying_anywhere_loses_nothing(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    dice = random.Random(11)  # noqa: S311  a seed, not a secret
    aim(uplink, mosquitto.port)
    with Centre(box, mosquitto.port) as centre:
        before = digest(box.spool_out)
        for _ in range(10):
            uplink.start()
            time.sleep(dice.uniform(0.15, 0.5))
            name = box.save(size=dice.randrange(10, 5000))
            before[name] = digest(box.spool_out)[name]
            time.sleep(dice.uniform(0.0, 0.1))
            uplink.kill()
        uplink.start()
        until(centre.holds_all)
        until(uplink.receipts)
        assert before.items() <= digest(box.spool_out).items()
        until(lambda: not list(uplink.spool_in.glob(".tmp-*-landed*")))  # what it left half written is swept


def test_an_older_broker_is_remembered_and_asked_again_after_a_day(
    uplink: Uplink, mosquitto: Mosquitto
) -> None:
    with EmbeddedBroker() as broker, cut_link(broker.port) as link:
        aim(uplink, link.port)
        uplink.start()
        until(lambda: uplink.link().get("broker") == "mqtt311")
        uplink.stop()
        assert str(link.port) in (uplink.notes / "brokers.json").read_text()
        assert link.say("stats")["accepted"] == 2  # 5 first, which costs 2 s of silence
        uplink.start()
        until(lambda: uplink.link().get("connected"))
        assert link.say("stats")["accepted"] == 3
        uplink.stop()
    # the same address, a day later, another broker
    (uplink.notes / "brokers.json").write_text(f'{{"127.0.0.1:{mosquitto.port}": 1}}')
    aim(uplink, mosquitto.port)
    uplink.start()
    until(lambda: uplink.link().get("broker") == "mqtt5")
    uplink.stop()
    assert (uplink.notes / "brokers.json").read_text() == "{}"


def test_the_next_broker_is_tried_when_one_is_gone(
    tmp_path: Path, mosquitto: Mosquitto, uplink: Uplink, box: Box
) -> None:
    with Mosquitto(tmp_path) as other:
        uplink.settings["brokers"] = [
            {"host": "127.0.0.1", "port": port, "tls": False} for port in (other.port, mosquitto.port)
        ]
        other.kill()
        with Centre(box, mosquitto.port) as centre, uplink:
            box.save()
            until(centre.holds_all)
