"""Waves: whose they are, what is kept of them, and that nothing is called saved that is not."""

import asyncio
import dataclasses
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import cbor
from edge.agent.recorder import LOOK_EVERY_S, WAITING_AT_MOST
from edge.agent.sealing import Sealing
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Stream
from edge.signals import wavecodec
from edge.signals.recording import LONGEST_OPEN_S, Gap
from edge.store.errors import StoreFull
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Flaw, Flawed, Wave
from tests.edge.agent.wave_bench import RATE, STRAP, Bench

MINUTE = 60


async def test_a_wave_is_saved_in_chunks_of_ten_seconds_while_it_goes_on(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(5, 9)
        await bench.save()
        assert await bench.waveforms() == []
        assert bench.listener.count("saved", "wave") == 0
        await bench.seconds(6, 25)
        await bench.save()
        [found] = await bench.waveforms()
        assert (found.code, found.device, found.leads, found.unit) == ("ecg", STRAP, ("II",), "uV")
        assert (found.chunks, found.samples, found.ended) == (3, 3000, None)
        assert await bench.samples(found) == [5] * 900 + [6] * 2100
        assert bench.listener.count("saved", "wave") == 3
        assert bench.recorder.recording == (STRAP,)


async def test_closing_the_visit_saves_the_rest_and_ends_the_recording(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        visit = await bench.open_visit()
        await bench.number()
        await bench.seconds(5, 13)
        await bench.close_visit(visit)
        await bench.seconds(9, 20)
        await bench.save()
        [found] = await bench.waveforms()
        assert (found.encounter, found.chunks, found.ended) == (visit.bytes, 2, "whole")
        samples = wavecodec.encode([[5] * 1000]), wavecodec.encode([[5] * 300])
        assert found.kept_bytes == sum(map(len, samples))
        assert await bench.samples(found) == [5] * 1300
        assert bench.recorder.recording == ()


async def test_without_a_visit_nothing_is_kept(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.number()
        await bench.seconds(5, 30)
        await bench.recorder.finish()
        await bench.open_visit()
        await bench.recorder.finish()
        assert await bench.waveforms() == []


async def test_a_locked_store_keeps_nothing(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        bench.capture.end()
        await bench.seconds(5, 30)
        await bench.recorder.finish()
        assert await bench.waveforms() == []


async def test_a_strap_that_stays_on_while_the_patient_changes_is_not_recorded(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        first = await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 12)
        await bench.close_visit(first)
        second = await bench.open_visit("Idrissi")
        await bench.number()
        await bench.seconds(1, 30)
        await bench.number(on=False)
        await bench.seconds(2, 3)
        await bench.number()
        await bench.seconds(3, 12)
        await bench.recorder.finish()
        one, two = await bench.waveforms()
        assert (one.encounter, two.encounter) == (first.bytes, second.bytes)
        assert set(await bench.samples(one)) == {1}
        assert set(await bench.samples(two)) == {3}


async def test_who_takes_the_numbers_for_a_visit_takes_the_wave_too(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.number()
        visit = await bench.open_visit()
        await bench.seconds(1, 12)
        await bench.number()
        await bench.capture.take(bench.call("take"), STRAP)
        await bench.seconds(2, 12)
        await bench.close_visit(visit)
        await bench.open_visit("Idrissi")
        await bench.seconds(3, 12)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert found.encounter == visit.bytes
        assert set(await bench.samples(found)) == {2}


async def test_a_sensor_taken_off_leaves_a_gap(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 2)
        await bench.number(on=False)
        await bench.seconds(7, 3)
        await bench.number()
        await bench.seconds(2, 2)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1] * 200 + [2] * 200
        [chunk] = await bench.look(lambda store: store.waveform_chunks(found.waveform))
        assert chunk.gaps == (Gap(200, 3000),)


async def test_a_device_that_comes_back_begins_another_recording(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 2)
        bench.capture.gone(STRAP)
        await bench.number()
        await bench.seconds(2, 2)
        await bench.recorder.finish()
        assert [(each.samples, each.ended) for each in await bench.waveforms()] == [
            (200, "whole"),
            (200, "whole"),
        ]


async def test_a_device_without_numbers_belongs_to_the_visit_of_its_first_wave(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        first = await bench.open_visit()
        await bench.seconds(1, 2)
        await bench.close_visit(first)
        await bench.open_visit("Idrissi")
        await bench.seconds(2, 2)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert found.encounter == first.bytes
        assert set(await bench.samples(found)) == {1}


async def test_a_device_without_numbers_is_recorded_from_the_unlock_on(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        visit = bench.capture.visit
        bench.capture.end()
        await bench.seconds(1, 5)
        bench.capture.begin(visit)
        await bench.seconds(2, 5)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert set(await bench.samples(found)) == {2}


async def test_while_a_visit_is_being_closed_nothing_more_is_kept_of_it(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        visit = await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 2)
        async with bench.recorder.ending(visit.bytes):
            await bench.seconds(9, 12)
        await bench.seconds(2, 2)  # it was not closed after all
        await bench.recorder.finish()
        assert [await bench.samples(each) for each in await bench.waveforms()] == [[1] * 200, [2] * 200]


async def test_another_visit_is_another_recording_even_if_nobody_closed_the_first(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        first = await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 2)
        mine = bench.capture.visit
        assert mine is not None
        other = dataclasses.replace(mine, operator="sami")
        wave = Wave(Code.ECG, "II", Unit.MICROVOLT, RATE, [7] * 100)
        bench.recorder.hear(STRAP, wave, other, simulated=False)
        await bench.recorder.finish()
        one, two = await bench.waveforms()
        assert (one.samples, two.samples) == (200, 100)
        assert {one.encounter, two.encounter} == {first.bytes}


async def test_a_chunk_that_hardly_fills_is_saved_by_time(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.wave(1, 2, 3)
        bench.clock.now_s += LONGEST_OPEN_S
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.recorder.run())
            async with asyncio.timeout(30):
                while not bench.listener.count("saved", "wave"):
                    await asyncio.sleep(LOOK_EVERY_S / 20)
            task.cancel()
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1, 2, 3]


async def test_flaws_gaps_and_the_measured_rate_are_kept(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        for number in range(20):  # the device's seconds are one per cent long
            flaws = (Flawed(Flaw.SATURATED, 10, 5),) if number == 3 else ()
            seconds = 2.51 if number == 7 else 1.01
            await bench.wave(*[number] * 100, seconds=seconds, flaws=flaws, gap=number == 7)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert found.rate == RATE
        assert found.rate_found is not None
        rate, uncertainty = map(float, found.rate_found)
        assert rate == pytest.approx(100 / 1.01, rel=1e-4)
        assert 0 < uncertainty < 0.1
        first, second = await bench.look(lambda store: store.waveform_chunks(found.waveform, 1, 9))
        assert [(each.flaw, each.first, each.count) for each in first.flaws] == [(Flaw.SATURATED, 310, 5)]
        assert first.gaps == (Gap(700, 1510),)
        assert first.first_ms == bench.clock.now().monotonic_ms - 21_700 + 10
        assert second.first_ms - first.first_ms == pytest.approx(11_600, abs=150)


async def test_of_a_lead_that_is_off_all_the_time_nothing_is_kept(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 10)
        await bench.seconds(0, 20, flaws=(Flawed(Flaw.LEAD_OFF, 0, 100),))
        await bench.seconds(2, 5)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1] * 1000 + [2] * 500
        _, second = await bench.look(lambda store: store.waveform_chunks(found.waveform, 1, 9))
        assert second.gaps == (Gap(0, 20_000),)


async def test_samples_that_fit_nowhere_leave_a_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.wave(1, 2)
        await bench.wave(1 << 31)
        await bench.wave(1 << 40)
        await bench.wave(3)
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1, 2, 3]
        [chunk] = await bench.look(lambda store: store.waveform_chunks(found.waveform))
        assert [gap.index for gap in chunk.gaps] == [2]
    assert [record.message for record in caplog.records].count("samples not kept") == 1


class Card:
    """A disk that a test fills. A real limit would let these chunks in: they fit into a page's free room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        genuine = Store.write

        def write(store: Store, before_commit: Callable[[list[Entry]], None] | None = None) -> Any:  # noqa: ANN401
            if self.full:
                raise StoreFull("The disk is full: nothing was saved.", next_step="Make room.")
            return genuine(store, before_commit)

        monkeypatch.setattr(Store, "write", write)


# ── a store that takes nothing ───────────────────────────────────────────────────────────────────


async def test_a_full_card_delays_chunks_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 12)
        await bench.save()
        card.full = True
        await bench.seconds(2, 40)
        for _ in range(3):
            await bench.save()
        assert bench.listener.count("not-saved") == 1
        assert bench.listener.count("saved", "wave") == 1
        [found] = await bench.waveforms()
        assert found.chunks == 1
        card.full = False
        await bench.save()
        await bench.recorder.finish()
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1] * 1200 + [2] * 4000
        assert found.ended == "whole"
        assert (await bench.look(Store.verify)).valid


async def test_when_the_card_stays_full_the_oldest_falls_out_and_a_gap_stands_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        card.full = True
        for value in range(12):
            await bench.seconds(value, 10)
            await bench.save()
        card.full = False
        await bench.save()
        [found] = await bench.waveforms()
        assert found.chunks == WAITING_AT_MOST
        assert sorted(set(await bench.samples(found))) == [0, 7, 8, 9, 10, 11]
        chunks = await bench.look(lambda store: store.waveform_chunks(found.waveform, 1, 9))
        assert [chunk.gaps for chunk in chunks] == [(), (Gap(0, 60_000),), (), (), (), ()]
        assert bench.listener.count("not-saved") == 12  # once for each chunk


async def test_a_simulated_wave_is_not_stored_in_production(tmp_path: Path) -> None:
    async with Bench(tmp_path, realm="production", simulated=True).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 30)
        await bench.recorder.finish()
        assert await bench.waveforms() == []
        assert (await bench.look(lambda store: store.watermark(Stream.WAVE))).tip == 1
        assert bench.listener.count("not-saved") >= 1
        assert bench.listener.count("saved", "wave") == 0


@pytest.mark.parametrize("where", ["prepare", "publish"])
async def test_a_save_that_nobody_waits_for_any_more_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Cancelled just before and just after COMMIT, while the store's thread goes on."""
    go_on, held, genuine = threading.Event(), threading.Event(), getattr(Sealing, where)

    def hold(sealing: Sealing, entries: Sequence[object]) -> object:
        if armed and not held.is_set():
            held.set()
            assert go_on.wait(30)
        return genuine(sealing, entries)

    armed = False
    monkeypatch.setattr(Sealing, where, hold)
    async with Bench(tmp_path).running() as bench:
        await bench.open_visit()
        await bench.number()
        await bench.seconds(1, 20)
        armed = True
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(bench.save())
            await asyncio.to_thread(held.wait, 30)
            writing.cancel()
            again = group.create_task(bench.recorder.finish())
            while not writing.done():
                await asyncio.sleep(0)
            go_on.set()
            await again
        [found] = await bench.waveforms()
        assert await bench.samples(found) == [1] * 2000
        assert found.ended == "whole"
        assert (await bench.look(Store.verify)).valid


# ── whatever devices and nurse do ────────────────────────────────────────────────────────────────

steps = st.lists(st.sampled_from(["open", "leave", "put_on", "take_off", "go", "take"]), max_size=25)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=steps)
def test_a_wave_is_never_another_patients(
    script: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(Play(Bench(tmp_path_factory.mktemp("script"))).run(script))


class Play:
    """Each placing has a value of its own in its samples, so that its owners can be told."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.owners: dict[int, set[bytes]] = {}
        self.placing = 0
        self.visit: uuid.UUID | None = None
        self.on = False

    async def run(self, script: Sequence[str]) -> None:
        async with self.bench.running():
            for step in script:
                await getattr(self, step)()
                if self.on:
                    await self.bench.number()
                    await self.bench.seconds(self.placing, 4)
            await self.bench.recorder.finish()
            await self.check()

    async def open(self) -> None:
        self.visit = self.visit or await self.bench.open_visit()

    async def leave(self) -> None:
        if self.visit is not None:
            await self.bench.close_visit(self.visit)
            self.visit = None

    async def put_on(self) -> None:
        if not self.on:
            self.placing, self.on = self.placing + 1, True
            self.owners[self.placing] = set() if self.visit is None else {self.visit.bytes}

    async def take_off(self) -> None:
        if self.on:
            self.on = False
            await self.bench.number(on=False)

    async def go(self) -> None:
        self.on = False
        self.bench.capture.gone(STRAP)

    async def take(self) -> None:
        if self.on and self.visit is not None:
            await self.bench.number()
            await self.bench.capture.take(self.bench.call("take"), STRAP)
            self.owners[self.placing].add(self.visit.bytes)

    async def check(self) -> None:
        for found in await self.bench.waveforms():
            for value in set(await self.bench.samples(found)):
                assert found.encounter in self.owners[value]
        assert (await self.bench.look(Store.verify)).valid


async def test_waves_before_the_first_number_after_a_restart_belong_to_nobody(tmp_path: Path) -> None:
    """The strap may still be on whoever came before the visit that is open: nobody was looking."""
    async with Bench(tmp_path).running() as bench:
        visit = await bench.open_visit()
        found = bench.capture.visit
    again = Bench(tmp_path)
    async with again.running(resumed=found):
        await again.seconds(1, 12)
        await again.number()  # and what comes now tells no more of who it is on
        await again.seconds(1, 12)
        await again.recorder.finish()
        assert await again.waveforms() == []
        await again.number(on=False)
        await again.number()
        await again.seconds(2, 12)
        await again.recorder.finish()
        [kept] = await again.waveforms()
        assert (kept.encounter, set(await again.samples(kept))) == (visit.bytes, {2})


async def test_a_device_without_numbers_is_nobodys_after_a_restart_and_the_next_visits(
    tmp_path: Path,
) -> None:
    async with Bench(tmp_path).running() as bench:
        first = await bench.open_visit()
        found = bench.capture.visit
    again = Bench(tmp_path)
    async with again.running(resumed=found):
        await again.seconds(1, 5)
        await again.close_visit(first)
        await again.open_visit("Idrissi")
        await again.seconds(1, 5)
        again.capture.gone(STRAP)
        again.clock.now_s += 200
        await again.seconds(2, 5)
        await again.recorder.finish()
        [kept] = await again.waveforms()
        assert kept.encounter != first.bytes
        assert set(await again.samples(kept)) == {2}


async def test_a_strap_without_numbers_that_loses_its_link_is_not_the_next_patients(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        first = await bench.open_visit()
        await bench.seconds(1, 5)
        bench.capture.gone(STRAP)
        await bench.close_visit(first)
        await bench.open_visit("Idrissi")
        await bench.seconds(1, 5)
        await bench.recorder.finish()
        [kept] = await bench.waveforms()
        assert kept.encounter == first.bytes


async def previews(bench: Bench) -> list[dict[int, Any]]:
    def look(store: Store) -> list[dict[int, Any]]:
        entries = store.entries(Stream.VITALS, 1, store.watermark(Stream.VITALS).tip)
        found = [cbor.decode(each.payload or b"") for each in entries if each.kind is Kind.WAVE_PREVIEW]
        return [dict(each) for each in found]  # type: ignore[arg-type]  # payloads are maps

    return await bench.look(look)


async def test_ten_seconds_of_a_wave_go_with_the_vitals_once(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        visit = await bench.open_visit()
        await bench.number()
        await bench.seconds(5, 9)
        await bench.save()
        assert await previews(bench) == []
        await bench.seconds(6, 25)
        await bench.save()
        [shown] = await previews(bench)
        [found] = await bench.waveforms()
        assert (shown[Field.WAVEFORM], shown[Field.ENCOUNTER]) == (found.waveform, visit.bytes)
        assert (shown[Field.LEADS], shown[Field.CHUNK], shown[Field.SAMPLES]) == (["II"], 1, 10 * RATE)
        [samples] = wavecodec.decode(shown[Field.PREVIEW])
        assert list(samples) == [5] * 900 + [6] * 100
        await bench.close_visit(visit)
        assert len(await previews(bench)) == 1


async def test_a_short_recording_has_a_shorter_preview(tmp_path: Path) -> None:
    async with Bench(tmp_path).running() as bench:
        visit = await bench.open_visit()
        await bench.number()
        await bench.seconds(5, 4)
        await bench.close_visit(visit)
        [shown] = await previews(bench)
        assert list(wavecodec.decode(shown[Field.PREVIEW])[0]) == [5] * 400
