"""`qafila store export`: the same file with and without an agent, for programs and for people."""

import asyncio
import json
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import central, store
from cli.exporting import as_text
from edge.config import Places
from edge.errors import QafilaError
from edge.i18n import catalogue
from edge.localapi.client import Api, connect
from tests.cli.test_commands import agent, error_of, qafila
from tests.cli.units import PIN, make_unit
from tests.edge.agent.agent_world import Nurse
from tests.edge.agent.test_agent_attachments import attach
from tests.edge.attachments.attachment_files import SECRET, photo


def export(home: Path, patient: str, out: Path, *more: str) -> Any:  # noqa: ANN401  as wide as JSON
    words = (*more, "--patient", patient, "--reason", "patient-asked", "--out", str(out), "--user", "fatima")
    done = qafila("store", "export", *words, "--pin-stdin", "--json", stdin=PIN + "\n", home=home)
    return json.loads(done.stdout) if done.returncode == 0 else error_of(done)["code"]


async def one_patient(home: Path) -> str:
    async with connect(Places.at(home).socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        return await _visit(api)


async def _visit(api: Api) -> str:
    named: dict[str, Any] = {"family": "Benali", "given": "Zahra", "sex": "female", "birth": "1961"}
    patient = (await api.call("patient.register", **named))["patient"]
    encounter = (await api.call("encounter.open", patient=patient))["encounter"]
    await api.call("observe", encounter=encounter, values=[{"code": "temp", "value": "37.25"}])
    await api.call("encounter.close", encounter=encounter)
    return str(patient)


async def test_the_same_record_with_and_without_an_agent(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    running, stopped = tmp_path / "running.json", tmp_path / "stopped.json"
    with agent(home):
        patient = await one_patient(home)
        assert export(home, patient, running)["values"] == 1
    assert export(home, patient, stopped)["visits"] == 1
    records = [json.loads(path.read_text()) for path in (running, stopped)]
    for record in records:
        assert record.pop("made_ms") > 0
    assert records[0] == records[1]
    assert (records[0]["by"], records[0]["reason"]) == ("fatima", "patient-asked")
    assert records[0]["visits"][0]["observations"][0]["value"] == "37.25"
    assert stat.S_IMODE(running.stat().st_mode) == 0o600


async def test_photos_stand_beside_the_record_with_and_without_an_agent(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    folders = tmp_path / "with", tmp_path / "without"

    def taken(folder: Path) -> dict[str, bytes]:
        more = ("--attachments", str(folder))
        told = export(home, patient, folder.with_suffix(".json"), *more)
        assert [Path(each) for each in told["attachments"]] == sorted(folder.iterdir())
        assert len(json.loads(folder.with_suffix(".json").read_text())["attachments"]) == 1
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    with agent(home):
        async with connect(Places.at(home).socket) as api:
            await api.call("sign-in", user="fatima", pin=PIN)
            patient = await _visit(api)
            await api.call("patient.consent", patient=patient, scope="tele-expertise", decision="given")
            asked: dict[str, Any] = {"patient": patient, "specialty": "dermatology", "question": "?"}
            request = str((await api.call("request.ask", **asked))["request"])
            shown = await attach(Nurse(api), request, photo())
        running = await asyncio.to_thread(taken, folders[0])
        assert await asyncio.to_thread(
            export, home, patient, tmp_path / "x", "--attachments", str(folders[0])
        ) == ("file-exists")
    stopped = await asyncio.to_thread(taken, folders[1])
    assert running == stopped
    assert list(running) == [shown["attachment"] + ".jpg"]
    assert SECRET not in running[shown["attachment"] + ".jpg"]


def test_what_cannot_be_done_is_said_before_a_pin_is_asked_for(tmp_path: Path) -> None:
    there = tmp_path / "record.json"
    there.write_text("of somebody else")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for patient, out, code in (
        ("nobody", tmp_path / "new", "usage"),
        (str(uuid.UUID(int=1)), there, "file-exists"),
        (str(uuid.UUID(int=1)), tmp_path / "link", "file-exists"),
    ):
        words = ["--patient", patient, "--reason", "legal-order", "--out", str(out), "--user", "fatima"]
        done = CliRunner().invoke(store.app, ["export", *words, "--home", str(tmp_path)])
        assert isinstance(done.exception, QafilaError)
        assert done.exception.stable_code == code
        assert done.exception.next_step
    assert there.read_text() == "of somebody else"


RECORD: dict[str, Any] = {
    "export": 1,
    "unit": "van-07",
    "made_ms": 1_800_000_000_000,
    "by": "fatima",
    "reason": "care-elsewhere",
    "records": [
        {
            "patient": "p",
            "revision": 1,
            "family": "Benali\x1b[2J",
            "given": "Zahra",
            "family_arabic": "بنعلي",
            "given_arabic": "زهرة",
            "sex": "female",
            "birth": "1961",
            "birth_estimated": True,
            "phone": "0612",
            "village": None,
            "merged_into": None,
            "identifiers": [{"system": "cin", "value": "AB\u202e123"}],
        }
    ],
    "consents": [
        {
            "scope": "tele-expertise",
            "revision": 1,
            "decision": "withdrawn",
            "given_by": "guardian",
            "form": "oral",
            "wall_ms": 5,
        }
    ],
    "alerts": [
        {"entry": [], "encounter": None, "code": "collapse", "text": "fell", "operator": "a", "wall_ms": 5}
    ],
    "visits": [
        {
            "encounter": "e",
            "patient": "p",
            "operator": "amina",
            "opened_ms": 1_700_000_000_000,
            "closed_ms": None,
            "site": "Tafraout",
            "purged_ms": None,
            "recordings": [{"code": "ecg", "seconds": 30}],
            "observations": [
                {
                    "entry": ["van-07", "ab", "vitals", 7],
                    "code": "temp",
                    "value": "46.9",
                    "unit": "Cel",
                    "missing": None,
                    "source": "manual",
                    "device": None,
                    "operator": "amina",
                    "wall_ms": 5,
                    "device_time": None,
                    "clock_off_s": None,
                    "flags": [],
                    "confirmed": None,
                    "corrects": None,
                },
                {
                    "entry": ["van-07", "ab", "vitals", 8],
                    "code": "temp",
                    "value": "36.9",
                    "unit": "Cel",
                    "missing": None,
                    "source": "manual",
                    "device": None,
                    "operator": "amina",
                    "wall_ms": 5,
                    "device_time": None,
                    "clock_off_s": None,
                    "flags": [],
                    "confirmed": None,
                    "corrects": ["ab", 7],
                },
                {
                    "entry": ["van-07", "ab", "vitals", 9],
                    "code": "spo2",
                    "value": None,
                    "unit": "%",
                    "missing": "sensor-off",
                    "source": "device",
                    "clock": "rtc",
                    "device": "ox-1",
                    "operator": None,
                    "wall_ms": 5,
                    "device_time": "2020-01-01T00:00:00",
                    "clock_off_s": None,
                    "flags": ["from-memory"],
                    "confirmed": None,
                    "corrects": None,
                },
            ],
        }
    ],
}


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (store.app, ("store", "export")),
        (store.app, ("store", "courier-out")),
        (store.app, ("store", "courier-in")),
        (central.app, ("central", "import")),
        (central.app, ("central", "export-receipts")),
    ],
)
def test_what_takes_data_in_or_out_has_an_example(group: typer.Typer, words: tuple[str, str]) -> None:
    shown = CliRunner().invoke(group, [words[1], "--help"])
    assert shown.exit_code == 0
    assert f"Example: qafila {' '.join(words)}" in shown.output.replace("\n", " ")


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_the_text_says_all_of_it_in_words_and_steers_nothing(language: str) -> None:
    word = catalogue.load(language)
    lines = as_text(RECORD, word).splitlines()
    text = "\n".join(lines)
    assert not {"\x1b", "\u202e"} & set(text)
    for said in ("Zahra", "بنعلي زهرة", "1961 ~", "cin AB", "Tafraout", "0612"):
        assert said in text
    wrong, right, missing = (
        line for line in lines if word("vital.temp") in line or word("vital.spo2") in line
    )
    assert "46.9 °C" in wrong
    consent = next(line for line in lines if line.startswith(word("export.consent")))
    assert {word(f"consent.{code}") for code in ("tele-expertise", "withdrawn", "guardian", "oral")} <= set(
        consent.removeprefix(word("export.consent") + " ").split(" · ")
    )
    assert word("alert.collapse") in text
    assert word("export.wave", code=word("wave.ecg"), seconds=30) in text
    assert (word("clock.rtc") in missing, word("clock.rtc") in wrong) == (True, False)
    assert word("export.clock-unknown") in wrong
    assert {"en": "A value's time", "fr": "une mesure", "ar": "وقت القيمة"}[language] in text, (
        "no visit says its clock"
    )
    assert word("export.corrected") in wrong
    assert word("export.corrected") not in right
    assert word("missing.sensor-off") in missing
    assert word("flag.from-memory") in missing
    assert "2020-01-01" in missing
    assert not any(f"{part}." in text for part in ("export", "vital", "missing", "flag", "source", "sex"))


def test_the_text_names_the_files_that_stand_beside_it() -> None:
    file = {"attachment": "0199", "media": "image/jpeg", "size": 1_200_000, "wall_ms": 0, "caption": "Plaie"}
    text = as_text({**RECORD, "attachments": [file]}, catalogue.load("fr"))
    assert "— · 0199.jpg · 1,2 Mo · Plaie" in text
