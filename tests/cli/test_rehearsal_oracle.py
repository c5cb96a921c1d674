"""The oracle notices every way in which the centre's tables can be wrong."""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import pytest
from sqlcipher3 import dbapi2

from cli.rehearsal.oracle import Centre, Identity, Verdict, judge
from cli.rehearsal.script import Expected
from edge.audit import chain
from edge.records.fields import Field, Kind, Source, Stream

UNIT, REALM, EPOCH = "van-07", "training", bytes(range(8))
S_0, S_P, PATIENT = b"0" * 32, b"p" * 32, b"patient 16 bytes"
OBSERVED = {
    Field.PATIENT: PATIENT, Field.REQUEST: b"observe1", Field.CODE: "temp", Field.VALUE: [369, -1],
    Field.SOURCE: Source.MANUAL,
}  # fmt: skip
MEASURED = {
    Field.PATIENT: PATIENT, Field.CODE: "spo2", Field.VALUE: [97, 0], Field.SOURCE: Source.SIMULATED,
    Field.DEVICE: "oximeter-1", Field.BOOT: b"bootboot", Field.MONOTONIC_MS: 12345,
}  # fmt: skip


class World:
    """A morning by the project's own chain: ``said`` to the recorder, ``rows`` at the centre."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[list[Any]] = []
        self.said: list[list[str | int]] = []
        self.noted = 0
        for stream in (Stream.ALERT, Stream.VITALS):
            self.append(stream, Kind.GENESIS, {Field.UNIT: UNIT, Field.REALM: REALM, Field.SALT: S_0})
        self.append(
            Stream.VITALS,
            Kind.PATIENT,
            {
                Field.PATIENT: PATIENT, Field.SALT: S_P, Field.REQUEST: b"register",
                Field.IDENTIFIERS: [["cnie", "QZ000001"]],
            },
        )  # fmt: skip
        self.append(Stream.VITALS, Kind.OBSERVATION, OBSERVED)
        self.append(Stream.VITALS, Kind.OBSERVATION, {**OBSERVED, Field.CODE: "rr", Field.VALUE: [16, 0]})
        self.append(Stream.VITALS, Kind.OBSERVATION, MEASURED)
        self.append(Stream.VITALS, Kind.OBSERVATION, {**MEASURED, Field.CODE: "pulse.spo2"})
        alert = {Field.PATIENT: PATIENT, Field.SALT: S_P, Field.REQUEST: b"alert001"}
        self.append(Stream.ALERT, Kind.ALERT, alert)
        self.append(Stream.AUDIT, Kind.GENESIS, {Field.UNIT: UNIT, Field.REALM: REALM, Field.SALT: S_0})

    def append(
        self, stream: Stream, kind: Kind, fields: dict[Field, Any], *, epoch: bytes = EPOCH, say: bool = True
    ) -> None:
        payload = cbor2.dumps({int(k): v for k, v in fields.items()}, canonical=True)
        before = [row for row in self.rows if row[1] == epoch.hex() and row[2] == stream.word]
        seq = len(before) + 1
        secret = S_P if Field.PATIENT in fields else S_0
        leaf = chain.leaf(secret, epoch, stream, seq, payload)
        head = before[-1][6] if before else chain.first_head(REALM, UNIT, epoch, stream)
        head = chain.next_head(head, stream, seq, kind, leaf)
        self.rows.append([UNIT, epoch.hex(), stream.word, seq, int(kind), leaf, head, payload])
        if say and stream in {Stream.ALERT, Stream.VITALS}:
            self.said.append([UNIT, epoch.hex(), stream.word, seq])

    def judge(self) -> Verdict:
        log = self.folder / "recorder.jsonl"
        log.write_text("".join(json.dumps({"saved": [said]}) + "\n" for said in self.said))
        database = self.folder / "central.db"
        database.unlink(missing_ok=True)
        connection = dbapi2.connect(database)
        connection.execute(
            "CREATE TABLE entries (unit, epoch, stream, seq, kind, leaf, head, payload)"
        )  # fmt: skip
        connection.execute("CREATE TABLE conflicts (unit, epoch, stream, seq)")
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.rows)
        connection.executemany("INSERT INTO conflicts (seq) VALUES (?)", [[n] for n in range(self.noted)])
        connection.commit()
        connection.close()
        return judge(log, Centre(database), realm=REALM)

    def row(self, stream: Stream, seq: int) -> list[Any]:
        return next(row for row in self.rows if row[2] == stream.word and row[3] == seq)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_good_morning_is_called_good(world: World) -> None:
    verdict = world.judge()
    assert (verdict.captured, verdict.received) == (8, 8)  # the audit stream is verified, not counted
    assert verdict.complete
    assert not verdict.unknown
    assert (verdict.duplicates, verdict.conflicts) == (0, 0)
    assert verdict.chain_break is None


def test_said_twice_is_captured_once(world: World) -> None:
    world.said *= 2
    assert world.judge().captured == 8


def test_a_torn_last_line_of_the_log_is_no_identity(world: World) -> None:
    world.judge()
    log = world.folder / "recorder.jsonl"
    log.write_text(log.read_text() + '{"saved": [["van-07", "00')
    assert judge(log, Centre(world.folder / "central.db"), realm=REALM).captured == 8


@pytest.mark.parametrize(("stream", "seq"), [(Stream.ALERT, 2), (Stream.VITALS, 6), (Stream.VITALS, 3)])
def test_a_lost_entry_is_named(world: World, stream: Stream, seq: int) -> None:
    world.rows.remove(world.row(stream, seq))
    verdict = world.judge()
    assert verdict.lost == {Identity(UNIT, EPOCH.hex(), stream.word, seq)}
    assert not verdict.complete


def test_one_lost_and_one_unsaid_do_not_cancel_out(world: World) -> None:
    world.rows.remove(world.row(Stream.VITALS, 6))
    world.said.remove([UNIT, EPOCH.hex(), "vitals", 2])
    verdict = world.judge()
    assert verdict.captured == verdict.received
    assert verdict.lost
    assert verdict.unknown
    assert not verdict.complete


def test_a_request_done_twice_is_a_duplicate(world: World) -> None:
    world.append(Stream.VITALS, Kind.OBSERVATION, OBSERVED)
    assert world.judge().duplicates == 1


def test_an_alert_raised_twice_is_a_duplicate(world: World) -> None:
    world.append(
        Stream.ALERT, Kind.ALERT, {Field.PATIENT: PATIENT, Field.SALT: S_P, Field.REQUEST: b"alert001"}
    )
    assert world.judge().duplicates == 1


def test_a_moment_of_a_device_stored_twice_is_a_duplicate(world: World) -> None:
    world.append(Stream.VITALS, Kind.OBSERVATION, MEASURED)
    assert world.judge().duplicates == 1


def test_a_record_of_a_device_read_twice_is_a_duplicate(world: World) -> None:
    record = {**MEASURED, Field.DEVICE_RECORD: b"record01", Field.MONOTONIC_MS: 1}
    world.append(Stream.VITALS, Kind.OBSERVATION, record)
    assert world.judge().duplicates == 0
    world.append(Stream.VITALS, Kind.OBSERVATION, {**record, Field.MONOTONIC_MS: 2})
    assert world.judge().duplicates == 1


def test_the_same_value_typed_again_is_no_duplicate(world: World) -> None:
    world.append(Stream.VITALS, Kind.OBSERVATION, {**OBSERVED, Field.REQUEST: b"observe2"})
    assert world.judge().duplicates == 0


def test_two_contents_under_one_identity_are_a_conflict(world: World) -> None:
    twin = list(world.row(Stream.VITALS, 3))
    twin[5] = hashlib.sha256(b"other").digest()
    world.rows.append(twin)
    assert world.judge().conflicts == 1


def test_a_conflict_the_centre_noted_counts(world: World) -> None:
    world.noted = 2
    assert world.judge().conflicts == 2


def test_a_re_journalled_entry_counts_under_its_first_identity(world: World) -> None:
    child = b"childchi"
    world.append(
        Stream.VITALS,
        Kind.GENESIS,
        {Field.UNIT: UNIT, Field.REALM: REALM, Field.SALT: S_0},
        epoch=child,
    )
    lost = world.row(Stream.VITALS, 6)
    world.rows.remove(lost)
    again = {**MEASURED, Field.CODE: "pulse.spo2", Field.ORIGIN: [EPOCH, int(Stream.VITALS), 6]}
    world.append(Stream.VITALS, Kind.OBSERVATION, again, epoch=child, say=False)
    verdict = world.judge()
    assert not verdict.lost
    assert not verdict.unknown
    assert verdict.complete
    assert verdict.duplicates == 0


def _flip(cell: bytes) -> bytes:
    return cell[:-1] + bytes([cell[-1] ^ 1])


def _payload(world: World) -> None:
    world.row(Stream.VITALS, 3)[7] = cbor2.dumps(
        {**cbor2.loads(world.row(Stream.VITALS, 3)[7]), 51: [370, -1]}
    )


def _kind(world: World) -> None:
    world.row(Stream.VITALS, 4)[4] = int(Kind.CORRECTION)


def _leaf(world: World) -> None:
    world.row(Stream.VITALS, 4)[5] = _flip(world.row(Stream.VITALS, 4)[5])


def _head(world: World) -> None:
    world.row(Stream.AUDIT, 1)[6] = _flip(world.row(Stream.AUDIT, 1)[6])


def _short_head(world: World) -> None:
    world.row(Stream.ALERT, 2)[6] = b""


def _gap(world: World) -> None:
    world.rows.remove(world.row(Stream.VITALS, 4))


def _no_genesis(world: World) -> None:
    world.append(Stream.DOC, Kind.ACCESS, {Field.PATIENT: PATIENT, Field.ACTION: "read"})


def _swapped(world: World) -> None:
    third, fourth = world.row(Stream.VITALS, 3), world.row(Stream.VITALS, 4)
    third[7], fourth[7] = fourth[7], third[7]


def _other_secret(world: World) -> None:
    alert = {Field.PATIENT: PATIENT, Field.SALT: b"q" * 32, Field.REQUEST: b"alert002"}
    world.append(Stream.ALERT, Kind.ALERT, alert)


def _no_secret(world: World) -> None:
    world.append(Stream.VITALS, Kind.OBSERVATION, {**OBSERVED, Field.PATIENT: b"an unknown one.."})


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_payload, "vitals 3: its leaf does not fit"),
        (_kind, "vitals 4: its head does not follow"),
        (_leaf, "vitals 4: its leaf does not fit"),
        (_head, "audit 1: its head does not follow"),
        (_short_head, "alert 2: its head does not follow"),
        (_gap, "vitals 5: 4 was expected"),
        (_no_genesis, "doc 1: the stream does not begin with a genesis"),
        (_swapped, "vitals 3: its leaf does not fit"),
        (_other_secret, "alert 3: a second secret"),
        (_no_secret, "vitals 7: the secret it is salted under has not come"),
    ],
)
def test_a_broken_chain_is_noticed_and_placed(
    world: World, harm: Callable[[World], None], words: str
) -> None:
    harm(world)
    assert words in (world.judge().chain_break or "")


def test_another_realm_breaks_the_chain(world: World) -> None:
    world.judge()
    verdict = judge(world.folder / "recorder.jsonl", Centre(world.folder / "central.db"), realm="production")
    assert verdict.chain_break is not None


def test_values_are_found_under_their_person_and_counted(world: World) -> None:
    world.judge()
    connection = dbapi2.connect(world.folder / "central.db")
    connection.execute("CREATE TABLE identifiers (patient, value)")
    connection.execute("CREATE TABLE observations (unit, epoch, seq, patient, code, value, leaf)")
    connection.execute("CREATE TABLE assignments (unit, assigned_epoch, assigned, patient)")
    connection.execute("DROP TABLE IF EXISTS entries")
    connection.execute("CREATE TABLE entries (unit, epoch, stream, seq, leaf, origin_epoch, origin_seq)")
    connection.execute(
        "INSERT INTO identifiers VALUES ('p', 'QZ000001'), ('p', 'QZ000001'), ('q', 'QZ000002')"
    )
    observations = [
        ("u", "e", 3, "p", "temp", "36.9"),
        ("u", "e", 4, "q", "temp", "37.0"),
        ("u", "e", 5, "q", "temp", "37.0"),
        ("u", "e", 6, "p", "spo2", None),
        ("u", "e", 7, None, "spo2", "97"),
        ("u", "e", 8, None, "spo2", "98"),
        ("u", "e", 9, None, "pain", "3"),
    ]
    connection.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, 'leaf')", observations)
    connection.executemany(
        "INSERT INTO entries VALUES (?, ?, 'vitals', ?, 'leaf', ?, ?)",
        [
            ("u", epoch, seq, *({9: ("before", 2)}.get(seq, (None, None))))
            for _, epoch, seq, *_ in observations
        ],
    )
    connection.execute(
        "INSERT INTO assignments VALUES ('u', 'e', 7, 'p'), ('u', 'other', 8, 'p'), ('u', 'before', 2, 'p')"
    )
    connection.commit()
    connection.close()
    assert Centre(world.folder / "central.db").values() == {
        "QZ000001": {"temp": [Decimal("36.9")], "spo2": [Decimal(97)], "pain": [Decimal(3)]},
        "QZ000002": {"temp": [Decimal(37), Decimal(37)]},
    }


@pytest.mark.parametrize(
    ("shown", "fits"), [([97], True), ([99], True), ([100], False), ([], False), ([97, 97], False)], ids=str
)
def test_a_value_fits_when_it_is_there_once_and_near(shown: list[int], fits: bool) -> None:
    assert Expected("spo2", Decimal(97), within=Decimal(2)).fits([Decimal(n) for n in shown]) is fits


def test_everything_in_the_tables_is_handed_to_the_scanner(world: World) -> None:
    world.judge()
    content = dict(Centre(world.folder / "central.db").everything())
    assert b"QZ000001" in content["entries"]
    assert "conflicts" in content
