"""Two slots for releases, and the one move that decides which of them the machine starts.

Below one folder, ``/opt/qafila``::

    a, b        releases that updates brought
    package     the release that the Debian package brought
    current     link to the one that is started; renaming another link over it is the only switch there is
    previous    link to the one before, which is known to work
    trial       there while an update is not known to work yet: what to go back to
    number      the highest number that has worked here; none that is lower is installed again
    new, gone, bundle.part, *.link    unfinished; whoever comes next removes them

Until the switch nothing that is started has changed. After it `settle` decides: it keeps what works and goes
back from what does not, and it does so again at the next boot if it was cut short itself.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from cli.system import release
from cli.system.host import Host, says_its_version
from cli.system.release import Release, UpdateRefused
from cli.system.unpacking import unpack
from edge.errors import QafilaError

BASE: Final = Path("/opt/qafila")
SLOTS: Final = ("a", "b")
_TRIES: Final = 2
_ROOM_LEFT: Final = 64 * 1024 * 1024
"""What an update leaves free on the disk."""


class SystemRefused(QafilaError):
    """Nothing was changed."""

    code: ClassVar[str] = "system-refused"


class UpdateUnwell(QafilaError):
    """The update was installed, was not well, and the version before runs again."""

    code: ClassVar[str] = "update-unwell"


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """An update that is not known to work yet.

    Attributes:
        slot: where it is.
        back: where the one before is.
        tries: how many times it was looked whether it works.
    """

    slot: str
    back: str
    version: str
    number: int
    tries: int = 0


class Slots:
    """The releases of one machine."""

    def __init__(self, base: Path, host: Host) -> None:
        self._base = base
        self._host = host

    @property
    def current(self) -> Path:
        """The release that the machine starts.

        Raises:
            SystemRefused: there is none.
        """
        name = self._named("current")
        if name is None:
            raise SystemRefused(
                f"Qafila is not installed in {self._base}; this may be a checkout.",
                next_step="Install the Debian package (make deb builds it).",
                code="not-installed",
            )
        return self._base / name

    def update(self, bundle: Path) -> Release:
        """Install a signed release and see that it works; else go back to what was there.

        Raises:
            UpdateRefused, SystemRefused: nothing that is started was changed.
            UpdateUnwell: the version before runs again.
        """
        with self._alone():
            self._settle_first()
            present = release.installed(self.current)
            try:
                brought = self._prepare(bundle, present)
                self._switch(brought)
            except OSError as error:
                raise UpdateRefused(
                    f"The update cannot be read or unpacked: {error.strerror}.",
                    next_step="Check the medium and the free space, then run it again.",
                ) from error
            why = self._settle()
        if why:
            raise UpdateUnwell(
                f"The update {brought.version} was installed and is not well ({why});"
                f" {present.version} runs again.",
                next_step="Keep the journal of this hour: journalctl -u qafila-agent; then tell who made it.",
            )
        return brought

    def _prepare(self, bundle: Path, present: Release) -> Release:
        """The bundle's files in ``new``, all of them, believed, and seen to start."""
        with bundle.open("rb") as file:
            head = release.read_head(file, self._believed(present))
            release.check_fits(head.release, present, self.highest())
            self._check_visit()
            self._check_room(head)
            try:
                self._bring(file, head)
                if not says_its_version(self._base / "new", head.release.version):
                    raise UpdateRefused(
                        f"The update {head.release.version} does not start on this machine.",
                        next_step="Tell those who made it; this unit works on as it is.",
                        code="update-does-not-start",
                    )
                self._check_visit()
            except (QafilaError, OSError):
                self._clear()
                raise
        return head.release

    def _switch(self, brought: Release) -> None:
        slot, back = self._free_slot(), self.current.name
        self._retire(slot)
        (self._base / "new").rename(self._base / slot)
        self._sync()
        self._point("previous", back)
        self._note(Trial(slot, back, brought.version, brought.number))
        self._point("current", slot)

    def settle(self) -> str:
        """Decide about an update that is on trial; nothing where none is. Why it was taken back, or empty.

        Raises:
            SystemRefused: an update is being installed right now, and will do it itself.
        """
        with self._alone():
            return self._settle()

    def _settle(self) -> str:
        self._clear()
        trial = self._trial()
        if trial is None:
            return ""
        if self._named("current") != trial.slot:  # cut short before the switch, or after going back
            self._host.take_over(self.current)
            self._forget()
            return ""
        tried = dataclasses.replace(trial, tries=trial.tries + 1)
        self._note(tried)
        tree = self._base / trial.slot
        self._host.take_over(tree)
        why = self._host.what_ails(tree, trial.version) if tried.tries <= _TRIES else "cut-short-too-often"
        if not why:
            self._raise_number(trial.number)
            self._point("previous", trial.back)
            self._forget()
            return ""
        self._point("current", trial.back)
        self._host.take_over(self._base / trial.back)
        self._forget()
        return why

    def roll_back(self) -> tuple[Release, Release]:
        """Go back to the version before; from which and to which.

        Raises:
            SystemRefused: there is none, it is too old, or a visit is open.
            UpdateUnwell: it is not well either, and nothing has changed.
        """
        with self._alone():
            return self._roll_back()

    def _roll_back(self) -> tuple[Release, Release]:
        self._settle_first()
        present, name = release.installed(self.current), self._named("previous")
        if name is None or name == self.current.name:
            raise SystemRefused(
                "There is no version before this one on this machine.",
                next_step="An update is undone only while its predecessor is still there.",
                code="no-previous",
            )
        before = release.installed(self._base / name)
        if before.number < present.floor:
            raise SystemRefused(
                f"The version before, {before.version}, may not be gone back to: {present.version} closes a"
                " hole in it, or it could not read what has been stored since.",
                next_step="Install a newer update instead.",
                code="previous-too-old",
            )
        self._check_visit()
        back = self.current.name
        self._note(Trial(name, back, before.version, before.number))
        self._point("current", name)
        why = self._settle()
        if why:
            raise UpdateUnwell(
                f"{before.version} is not well ({why}); {present.version} runs on.",
                next_step="Keep the journal of this hour: journalctl -u qafila-agent; then tell who made it.",
            )
        return present, before

    def show(self) -> dict[str, Any]:
        """What stands where, as plain values."""
        present, name, trial = release.installed(self.current), self._named("previous"), self._trial()
        before = None
        if name is not None and name != self.current.name:
            with contextlib.suppress(UpdateRefused):
                before = release.installed(self._base / name).version
        return {
            "version": present.version,
            "number": present.number,
            "previous": before,
            "trial": None if trial is None else trial.version,
        }

    def highest(self) -> int:
        """The highest number that has worked here."""
        try:
            return int((self._base / "number").read_text())
        except (OSError, ValueError):
            return 0

    def _settle_first(self) -> None:
        self._settle()

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        descriptor = os.open(self.current.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise SystemRefused(
                "Another update is under way on this machine.",
                next_step="Wait until it has ended.",
                code="update-under-way",
            ) from None
        finally:
            os.close(descriptor)

    def _believed(self, present: Release) -> tuple[bytes, ...]:
        if not present.keys:
            raise SystemRefused(
                "This installation believes nobody's signature, so no update can be installed by itself.",
                next_step="Install the newer Debian package, or one that was built with a release key.",
                code="no-release-key",
            )
        return present.keys

    def _check_visit(self) -> None:
        is_open = self._host.visit_open()
        if is_open is None:
            raise SystemRefused(
                "The agent does not say whether a visit is open, so nothing is installed now.",
                next_step="Run it as root; if it still says so: systemctl restart qafila-agent.",
                code="visit-unknown",
            )
        if is_open:
            raise SystemRefused(
                "A visit is open: the program is never changed under it.",
                next_step="Close the visit on the screen, then run it again.",
                code="visit-open",
            )

    def _check_room(self, head: release.Bundle) -> None:
        free, needed = shutil.disk_usage(self._base).free, head.bytes + head.unpacked + _ROOM_LEFT
        if free < needed:
            raise SystemRefused(
                f"The update needs {needed >> 20} MB free on the disk; there are {free >> 20}.",
                next_step="Make room; qafila doctor says what takes it.",
                code="no-room",
            )

    def _bring(self, file: BinaryIO, head: release.Bundle) -> None:
        """Copy, check and unpack into ``new``; a stick may be pulled, or changed, at any time."""
        part = self._base / "bundle.part"
        with part.open("w+b") as copied:
            release.copy_files(file, head, copied)
            copied.seek(0)
            unpack(copied, self._base / "new", head.unpacked)
        part.unlink()
        said = release.installed(self._base / "new")
        if dataclasses.replace(said, keys=()) != head.release:
            raise UpdateRefused(
                "The update's files are of another release than its manifest.",
                next_step="Tell those who made it.",
            )

    def _free_slot(self) -> str:
        taken = {self._named("current"), self._named("previous")}
        return next((slot for slot in SLOTS if slot not in taken), "a" if self.current.name == "b" else "b")

    def _retire(self, slot: str) -> None:
        if self._named("previous") == slot:
            (self._base / "previous").unlink()
            self._sync()
        if (self._base / slot).exists():
            (self._base / slot).rename(self._base / "gone")
            self._sync()
            shutil.rmtree(self._base / "gone")

    def _named(self, link: str) -> str | None:
        try:
            return str((self._base / link).readlink())
        except OSError:
            return None

    def _point(self, link: str, to: str) -> None:
        fresh = self._base / f"{link}.link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(to)
        fresh.rename(self._base / link)
        self._sync()

    def _trial(self) -> Trial | None:
        try:
            return Trial(**json.loads((self._base / "trial").read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # never written whole, so never switched

    def _note(self, trial: Trial) -> None:
        self._write("trial", json.dumps(dataclasses.asdict(trial)))

    def _forget(self) -> None:
        (self._base / "trial").unlink(missing_ok=True)
        self._sync()

    def _raise_number(self, number: int) -> None:
        if number > self.highest():
            self._write("number", str(number))

    def _write(self, name: str, text: str) -> None:
        fresh = self._base / f"{name}.link"
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._base / name)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _clear(self) -> None:
        """Remove what was left unfinished."""
        for name in ("new", "gone"):
            shutil.rmtree(self._base / name, ignore_errors=True)
        for path in [self._base / "bundle.part", *self._base.glob("*.link")]:
            path.unlink(missing_ok=True)
