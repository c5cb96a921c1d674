"""The two slots in which configurations of the centre's lie: the one that holds, and the one before it.

Each file is written whole beside its place and renamed into it; which slot holds stands in ``state.json``
alone, so a power cut at any moment leaves the one or the other. A slot or a state that cannot be read holds
nothing: the unit's own file does.
"""

import contextlib
import dataclasses
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

STATE: Final = "state.json"
_SLOTS: Final = ("a", "b")
_VERSION: Final = 1
_MODE: Final = 0o644


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One configuration of the centre's.

    Attributes:
        number: rises with each.
        message: the message that brought it, in hex.
        text: as the centre wrote it.
        tables: texts of a programme's own tables, by rule.
    """

    number: int
    message: str
    text: str
    tables: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """Which slot holds, and what is to become of it.

    Attributes:
        present: the slot that holds, or None.
        number: of what lies in it; 0 for none.
        former: where to go back to while ``present`` is on trial; None for nowhere.
        on_trial: whether ``present`` may still be left.
        needs_receipt: whether the link has to work for it to stay.
        starts: how often the agent has begun under it without ending as it should.
        highest: the highest number that was ever here.
        reports: message in hex and outcome, which the centre is to be told.
    """

    present: str | None = None
    number: int = 0
    former: str | None = None
    on_trial: bool = False
    needs_receipt: bool = False
    starts: int = 0
    highest: int = 0
    reports: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Self:
        """What a file says.

        Raises:
            KeyError, TypeError, ValueError: it is not such a file.
        """
        if raw["version"] != _VERSION or not {raw["present"], raw["former"]} <= {None, *_SLOTS}:
            raise ValueError("no state of this version")
        numbers = [int(raw[name]) for name in ("number", "starts", "highest")]
        return cls(
            present=raw["present"],
            number=numbers[0],
            former=raw["former"],
            on_trial=bool(raw["on_trial"]),
            needs_receipt=bool(raw["needs_receipt"]),
            starts=numbers[1],
            highest=numbers[2],
            reports=tuple((str(message), str(outcome)) for message, outcome in raw["reports"]),
        )


class Slots:
    """The folder in which they lie; the agent writes, everybody of the unit may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def state(self) -> State:
        """Which slot holds; an unreadable file says none."""
        try:
            return State.of(json.loads((self._folder / STATE).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return State()

    def stamp(self) -> tuple[int, int]:
        """Another whenever the state is; two zeros where there is none."""
        try:
            found = (self._folder / STATE).stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def document(self, slot: str | None) -> Document | None:
        """What lies in a slot, or None when it cannot be read."""
        if slot is None:
            return None
        try:
            raw = json.loads((self._folder / f"{slot}.json").read_bytes())
            tables = {str(name): str(text) for name, text in raw["tables"].items()}
            return Document(int(raw["number"]), str(raw["message"]), str(raw["text"]), tables)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def present(self) -> Document | None:
        """What holds of the centre's."""
        state = self.state()
        found = self.document(state.present)
        return found if found is not None and found.number == state.number else None

    def try_out(self, document: Document, *, needs_receipt: bool) -> None:
        """Have a document hold, on trial; what held before stays in the other slot.

        Raises:
            OSError: the disk does not take it; what held holds.
        """
        state = self.state()
        back = state.former if state.on_trial else state.present  # what was tried and never kept is left
        slot = next(each for each in _SLOTS if each != back)
        reports = state.reports
        left = self.document(state.present) if state.on_trial else None
        if left is not None:
            reports = (*reports, (left.message, "replaced"))
        self._folder.mkdir(parents=True, exist_ok=True)
        if slot == state.present:
            # Its file is about to become another: nothing may believe the one for the other meanwhile.
            self._write_state(dataclasses.replace(self._back(state), reports=reports))
        self._write(f"{slot}.json", dataclasses.asdict(document))
        self._write_state(
            State(
                present=slot,
                number=document.number,
                former=back,
                on_trial=True,
                needs_receipt=needs_receipt,
                highest=max(state.highest, document.number),
                reports=reports,
            )
        )

    def keep(self) -> None:
        """What is on trial stays; the centre is to be told."""
        state, document = self.state(), self.present()
        if state.on_trial and document is not None:
            reports = (*state.reports, (document.message, "applied"))
            self._write_state(
                dataclasses.replace(state, former=None, on_trial=False, starts=0, reports=reports)
            )

    def go_back(self, why: str) -> None:
        """What was before holds again; the centre is to be told why."""
        state = self.state()
        if not state.on_trial:
            return
        document = self.document(state.present)
        reports = state.reports if document is None else (*state.reports, (document.message, why))
        self._write_state(dataclasses.replace(self._back(state), reports=reports))

    def began(self) -> int:
        """An agent begins; how often one has under what is on trial, this time included."""
        for litter in self._folder.glob(".tmp-*"):
            litter.unlink(missing_ok=True)
        state = self.state()
        if not state.on_trial:
            return 0
        self._write_state(dataclasses.replace(state, starts=state.starts + 1))
        return state.starts + 1

    def ended(self) -> None:
        """An agent ends as it should."""
        state = self.state()
        if state.on_trial and state.starts:
            self._write_state(dataclasses.replace(state, starts=state.starts - 1))

    def reported(self, message: str, outcome: str) -> None:
        """The centre is being told of this."""
        state = self.state()
        left = tuple(each for each in state.reports if each != (message, outcome))
        if left != state.reports:
            self._write_state(dataclasses.replace(state, reports=left))

    def _back(self, state: State) -> State:
        document = self.document(state.former)
        return State(
            present=None if document is None else state.former,
            number=0 if document is None else document.number,
            highest=state.highest,
            reports=state.reports,
        )

    def _write_state(self, state: State) -> None:
        self._write(STATE, {"version": _VERSION, **dataclasses.asdict(state)})

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        temporary = self._folder / f".tmp-{secrets.token_hex(8)}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / name)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
