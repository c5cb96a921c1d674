"""The agent: what it is made of, what it answers, what it does by itself."""

import asyncio
import functools
import logging
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from edge.agent import advice, expecting, view
from edge.agent.audience import Audience
from edge.agent.capture import Capture
from edge.agent.card import CardWatch
from edge.agent.commands.attaching import AttachCommands
from edge.agent.commands.backups import BackupCommands
from edge.agent.commands.corrections import CorrectionCommands
from edge.agent.commands.devices import DeviceCommands
from edge.agent.commands.expertise import ExpertiseCommands
from edge.agent.commands.exporting import ExportCommands
from edge.agent.commands.identities import IdentityCommands
from edge.agent.commands.inbox import InboxCommands
from edge.agent.commands.patients import PatientCommands
from edge.agent.commands.queue import QueueCommands
from edge.agent.commands.records import RecordCommands
from edge.agent.commands.recovery import RecoveryCommands
from edge.agent.commands.secrets import Secrets
from edge.agent.commands.sessions import SessionCommands
from edge.agent.commands.sheets import SheetCommands
from edge.agent.commands.sites import SiteCommands
from edge.agent.commands.status import StatusCommands
from edge.agent.commands.syncing import SyncCommands
from edge.agent.commands.tray import TrayCommands
from edge.agent.commands.trends import TrendCommands
from edge.agent.commands.users import UserCommands
from edge.agent.commands.visits import VisitCommands
from edge.agent.commands.watching import WatchCommands
from edge.agent.commands.waves import WaveCommands
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.configuring import Configuring
from edge.agent.doorkeeper import Doorkeeper
from edge.agent.down import Downs
from edge.agent.glass import Glass
from edge.agent.keeping import Keeper
from edge.agent.keysets import note_pinned, take_keysets
from edge.agent.ledger import Ledger
from edge.agent.link import read_link
from edge.agent.locks import Locks
from edge.agent.mail import News, Refusals, note_refused, take_mail
from edge.agent.parts import Parts
from edge.agent.permissions import WITHOUT_SESSION, may
from edge.agent.refusals import NotAllowed, SignInNeeded, StoreLocked
from edge.agent.rivals import Rivals
from edge.agent.supervisor import Supervisor
from edge.agent.unit_news import UnitNews
from edge.agent.unlocking import Pinned, Unlocking
from edge.notify import STOPPING
from edge.ports.caller import Answer, Call, Handler, Json
from edge.ports.driver import DeviceEvent
from edge.store.errors import StoreError
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading

_LOOK_FOR_ENROLMENT_EVERY: Final = 8
"""Looks into the spool between two looks for a pinned bundle: a few seconds."""
_LOG: Final = logging.getLogger(__name__)


async def run(parts: Parts) -> bool:
    """Run the agent until SIGTERM or SIGINT; a bug ends it with the exception that shows it.

    Returns:
        Whether it ended only to begin anew: the store is locked again, and the process knew its key.
    """
    return await Agent(parts).run()


class Agent:
    """All of it, joined."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._room = StoreRoom()
        self._room.saves.reserve = parts.reserve
        self._card = CardWatch(parts.card, parts.pace.card_s)
        self._room.saves.card = self._card
        self._room.saves.look_at_card = parts.card
        self._audience = Audience()
        self._ledger = Ledger(self._room, parts.clock, self._audience, parts.entropy)
        self._devices = {device.driver.key: device for device in parts.devices}
        self._capture = Capture(
            self._ledger,
            self._audience,
            parts.clock,
            parts.devices,
            production=parts.realm == "production",
        )
        self._supervisor = Supervisor(
            parts.devices,
            self._audience,
            self._hear,
            self._capture.gone,
            retry_s=parts.pace.device_retry_s,
        )
        self._capture.ask_again = self._supervisor.again
        if parts.workshop is not None:
            self._capture.clock_off = parts.workshop.clock_off
        self._pinned = Pinned(parts.enrolled, parts.clock.monotonic_s)
        self._unlocking = Unlocking(parts, self._room, self._capture, self._audience, self._pinned)
        self._locks = Locks(
            self._ledger,
            self._audience,
            self._unlocking,
            self._capture,
            parts.clock.monotonic_s,
            screen_s=parts.pace.screen_lock_s,
            store_s=parts.pace.store_lock_s,
            look_s=parts.pace.lock_look_s,
        )
        self._news = UnitNews(self._ledger, self._audience, parts.clock)
        self._glass = Glass(self._ledger, self._audience, parts.clock.monotonic_s)
        self._locks.also = self._glass.look
        self._refusals = Refusals()
        self._status = StatusCommands(
            *(parts, self._room, self._ledger, self._unlocking, self._supervisor, self._capture),
            *(self._locks, self._refusals),
        )
        self._keeper = Keeper(parts.periods)
        self._rivals = Rivals()
        self._downs = Downs()
        advice.register(self._downs)
        expecting.register(self._downs)
        self._configuring = Configuring(parts.configuration, lambda: self._ledger.link.connected, parts.pace)
        self._configuring.register(self._downs)
        self._link_read: bytes | None = None
        self._link_afresh = True  # what was read may mean something else by now
        self._looks = 0
        self._troubled = False
        self._anew = False
        self._told_to_stop = False

    def handlers(self) -> Mapping[str, Handler]:
        """Every method of the local API, guarded by session and role."""
        doorkeeper = Doorkeeper(self._parts.load_slots, self._parts.lockout)
        users = UserCommands(self._ledger, self._audience, self._parts.load_slots, doorkeeper)
        sessions = SessionCommands(
            *(self._ledger, self._audience, self._unlocking, doorkeeper, self._locks),
            users,
            self._parts.enrolled,
        )
        recovering = RecoveryCommands(
            *(self._ledger, self._audience, self._unlocking, doorkeeper, self._locks),
            self._parts.load_slots,
        )
        patients, sites = PatientCommands(self._ledger), SiteCommands(self._ledger)
        identities = IdentityCommands(self._ledger)
        visits = VisitCommands(self._ledger, self._capture)
        tray = TrayCommands(self._ledger)
        expertise, inbox = ExpertiseCommands(self._ledger), InboxCommands(self._ledger)
        attaching = AttachCommands(self._ledger, self._parts.sizes.message)
        records = RecordCommands(self._ledger)
        syncing = SyncCommands(self._ledger, self._parts.outbox)
        backups = BackupCommands(self._ledger, self._parts)
        devices = DeviceCommands(
            self._ledger,
            self._capture,
            self._supervisor,
            self._devices,
            self._parts.workshop,
            Secrets(self._ledger, self._parts.entropy),
            production=self._parts.realm == "production",
        )
        watch = WatchCommands(self._ledger, self._audience, devices, self._parts.unit)
        methods: dict[str, Handler] = {
            "status": self._status.status,
            "metrics": self._status.metrics,
            "sign-in": sessions.sign_in,
            "sign-out": sessions.sign_out,
            "present": sessions.present,
            "lock": sessions.lock,
            "patient.register": patients.register,
            "patient.correct": patients.correct,
            "patient.show": patients.show,
            "patient.trend": TrendCommands(self._ledger).trend,
            "patient.consent": patients.consent,
            "patient.merge": identities.merge,
            "patient.unmerge": identities.unmerge,
            "site.list": sites.known,
            "site.arrive": sites.arrive,
            "patient.likely": patients.likely,
            "patient.list": patients.recent,
            "patient.find": patients.find,
            "visit.list": QueueCommands(self._ledger).listed,
            "patient.export": ExportCommands(self._ledger).export,
            "visit.sheet": SheetCommands(self._ledger, self._parts.realm).sheet,
            "encounter.open": visits.open,
            "encounter.close": visits.close,
            "encounter.show": visits.show,
            "waveform.read": WaveCommands(self._ledger).read,
            "observe": visits.observe,
            "observation.correct": CorrectionCommands(self._ledger).correct,
            "take": self._capture.take,
            "alert.raise": visits.alert,
            "tray.list": tray.contents,
            "tray.assign": tray.assign,
            "request.ask": expertise.ask,
            "request.list": expertise.listed,
            "request.show": expertise.show,
            "request.withdraw": expertise.withdraw,
            "request.close": expertise.close,
            "request.attach": attaching.attach,
            "attachment.bring": attaching.bring,
            "attachment.read": attaching.read,
            "inbox.list": inbox.listed,
            "inbox.read": inbox.read,
            "expected.list": inbox.expected,
            "snapshot": records.snapshot,
            "subscribe": sessions.subscribe,
            "users.add": users.add,
            "users.list": users.everybody,
            "users.pin": users.reset_pin,
            "users.role": users.set_role,
            "users.disable": users.disable,
            "pin.change": users.change_pin,
            "recover.ask": recovering.ask,
            "recover": recovering.recover,
            "key.rotate": recovering.rotate,
            "break-glass": self._glass.break_glass,
            "device.scan": devices.scan,
            "device.pair": devices.pair,
            "device.passkey": devices.passkey,
            "device.forget": devices.forget,
            "device.secret": devices.secret,
            "device.test": watch.test,
            "device.listen": watch.listen,
            "device.record": watch.record,
            "device.measure": watch.measure,
            "device.stop": watch.stop,
            "recording.open": watch.open_recording,
            "store.backup": backups.backup,
            "store.verify": records.verify,
            "sync.quarantine": syncing.quarantine,
            "sync.retry": syncing.retry,
            "sync.now": syncing.now,
        }
        return {method: self._guarded(method, handler) for method, handler in methods.items()}

    async def run(self) -> bool:
        """Everything at once, until told to stop; then seal, close the store and leave. See `run`."""
        missing = await asyncio.to_thread(self._parts.preconditions)
        if missing is not None:
            why = {"code": missing.stable_code, "sentence": missing.sentence, "next": missing.next_step}
            _LOG.error("nobody can sign in", extra=why)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, stop)
        try:
            async with self._card.running(), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._parts_serve(), name="local-api"),
                    group.create_task(self._supervisor.run(), name="devices"),
                    group.create_task(self._capture.recorder.run(), name="recorder"),
                    group.create_task(self._upkeep(), name="upkeep"),
                    group.create_task(self._heartbeat(), name="heartbeat"),
                    group.create_task(self._locks.run(), name="locks"),
                    group.create_task(self._unlocking.reopen(), name="reopen"),
                ]
                if self._parts.begins_anew is not None:
                    tasks.append(group.create_task(self._watch_locks(stop), name="begin-anew"))
                await stop.wait()
                _LOG.info("agent begins anew" if self._anew else "agent stops")
                for task in tasks:
                    task.cancel()
            await self._unlocking.lock(stopping=self._told_to_stop)
            await self._configuring.ended()
        finally:
            self._room.end()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return self._anew

    def _stop(self, stop: asyncio.Event) -> None:
        """Somebody wants the agent to end, also while it ends only to begin anew."""
        self._told_to_stop, self._anew = True, False
        self._parts.service.tell(STOPPING)
        stop.set()

    async def _watch_locks(self, stop: asyncio.Event) -> None:
        """End the run once the store has been locked, if the process could begin anew."""
        assert self._parts.begins_anew is not None  # noqa: S101  else nobody watches
        told: str | None = None
        while True:
            await self._locks.spent.wait()
            if self._room.saves.problem is not None:
                self._locks.spent.clear()  # what is wrong with the store would be forgotten
                continue
            refused = await asyncio.to_thread(self._parts.begins_anew)
            if refused is None and self._unlocking.locked and not self._unlocking.busy:
                self._anew = not self._told_to_stop
                stop.set()
                return
            self._locks.spent.clear()
            if refused is None:
                continue
            if refused.stable_code != told:
                told = refused.stable_code
                _LOG.warning("agent does not begin anew for now", extra={"code": told})
            await asyncio.sleep(self._parts.pace.anew_s)  # somebody may be mending unit.toml

    def _guarded(self, method: str, handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def guarded(call: Call, **fields: object) -> Answer:
            if method not in WITHOUT_SESSION:
                if self._unlocking.locked:
                    raise StoreLocked
                await self._locks.check(call.caller)
                self._glass.look()
                person = call.caller.person
                if person is None:
                    raise SignInNeeded
                if not may(person.role, method):
                    raise NotAllowed
                with self._locks.attending(call.caller, method):
                    return await handler(call, **fields)
            return await handler(call, **fields)

        return guarded

    async def _parts_serve(self) -> None:
        await self._parts.serve(self.handlers())

    async def _hear(self, device: str, event: DeviceEvent) -> Sequence[bytes]:
        if isinstance(event, Reading) and any(isinstance(value, Quantity) for _, value in event.values):
            self._locks.used()  # a plug that says "no finger" all night does not keep the store open
        return await self._capture.hear(device, event)

    async def _heartbeat(self) -> None:
        while True:
            self._parts.service.alive()
            beat: Mapping[str, Json] = {
                "wall_ms": self._parts.clock.now().wall_ms,
                "problem": self._room.saves.problem,
            }
            self._audience.tell("heartbeat", beat)
            self._news.look()
            await asyncio.sleep(self._parts.pace.heartbeat_s)

    async def _upkeep(self) -> None:
        """Look at the link's note and, while unlocked, at what has come, and keep the spool whole."""
        while True:
            await self._look_at_link()
            more = False
            try:
                await asyncio.to_thread(self._take_keysets)
                more, news = await self._room.do(self._keep_up)
                await self._configuring.take_over(self._keeper, self._locks)
                if news.forked is not None:
                    self._link_afresh = True
                    self._audience.tell("forked", view.fork(news.forked))
                if news.changed:
                    self._status.log.receipt_ms = self._ledger.now().wall_ms
                    await self._ledger.tell_streams()
                await self._status.publish()
                if set(news.came) & set(advice.SHOWN):
                    unread = await self._ledger.read(lambda store: store.unread(advice.SHOWN))
                    self._audience.tell("inbox", {"unread": unread})
                self._troubled = False
            except StoreLocked:
                pass  # what has come waits in the spool until somebody signs in
            except (StoreError, OSError) as error:
                if not self._troubled:
                    code = error.stable_code if isinstance(error, StoreError) else "spool-failed"
                    _LOG.warning("upkeep failed", extra={"code": code})
                self._troubled = True
            await asyncio.sleep(0 if more else self._parts.pace.mail_s)

    def _take_keysets(self) -> None:
        """The centre's public keys are pinned whether anybody is signed in or not."""
        if self._parts.keysets is not None and take_keysets(
            self._parts.inbox, self._parts.keysets, self._refusals
        ):
            self._looks = 0  # what is pinned is looked at at once

    def _keep_up(self, opened: OpenStore) -> tuple[bool, News]:
        """In the store's thread: whether sealing has more to do, and what the mail has changed."""
        self._room.saves.look()
        news = News()
        if self._looks % _LOOK_FOR_ENROLMENT_EVERY == 0:
            self._ledger.unwritten.catch_up(opened)
            if self._pinned.again(opened.sealing):
                _LOG.info("enrolled: sealing to the pinned keys")
            note_pinned(opened, self._pinned.present, self._parts.clock.now())
        self._looks += 1
        if self._pinned.present is not None:
            news = take_mail(
                *(opened, self._parts.inbox, self._pinned.present, self._parts.clock.now(), self._refusals),
                *(self._keeper, self._downs),
            )
        self._configuring.look(opened, self._parts.clock.now(), self._parts.clock.monotonic_s())
        note_refused(opened, self._refusals, self._parts.clock.now())
        self._status.keep_up(opened)
        now_s = self._parts.clock.monotonic_s()
        self._rivals.look(opened, self._ledger.link, self._parts.clock.now(), now_s)
        more = self._keeper.keep_up(opened, self._parts.clock.now(), now_s)
        return opened.sealing.upkeep(now_s) or more, news

    async def _look_at_link(self) -> None:
        raw = await asyncio.to_thread(self._parts.inbox.link)
        if raw == self._link_read and not self._link_afresh:
            return
        self._link_read, self._link_afresh = raw, False
        try:
            link = await self._room.do(lambda opened: read_link(raw, opened.sealing.is_of_this_epoch))
        except StoreLocked:
            link = read_link(raw)
            self._link_afresh = True  # which files are of the present epoch is known only to the open store
        told = view.link(link) != view.link(self._ledger.link)
        self._ledger.link = link
        if told:
            self._audience.tell("link", view.link(link))
        await self._ledger.tell_streams()
