"""What the rehearsal ends with: the figures, and whether they are what was promised."""

import dataclasses
from typing import Any

from cli.rehearsal.oracle import Verdict
from cli.rehearsal.stage import Breakages


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """The outcome.

    Attributes:
        planned: what the script wanted broken, each while it was at work.
        store_valid: what the unit's own ``store.verify`` found.
        wrong_values: typed or measured values that the centre does not show once, under their patient.
        plaintext_hits: sightings of a canary, or of the PIN, where none may be.
        scanner_control: the same scanner found every canary, in every spelling, in the planted file,
            and every canary in the centre's tables.
        spied_messages: how many messages the stranger on the broker saw; none would prove nothing.
        bytes_up: what went through the link from the unit: MQTT with its connects and repeats, keys,
            audit; without TCP/IP headers.
        claims: how often the unit claimed that something had arrived at, or been received by, the centre.
        too_early: those of the claims that the centre's tables did not bear out when they were heard.
        unit_knows: at the end the unit itself called everything received: signed receipts came back.
        slips_refused, confirmed, repeats_agreed: what the nurse met on the way.
    """

    verdict: Verdict
    breakages: Breakages
    planned: Breakages
    store_valid: bool
    wrong_values: int
    plaintext_hits: int
    scanner_control: bool
    spied_messages: int
    bytes_up: int
    claims: int
    too_early: list[str]
    unit_knows: bool
    slips_refused: int
    confirmed: int
    repeats_agreed: int
    broker: str
    patients: int
    seed: int
    seconds: float
    canaries: list[str]

    @property
    def chain_valid(self) -> bool:
        return self.store_valid and self.verdict.chain_break is None

    @property
    def bytes_per_entry(self) -> float:
        return round(self.bytes_up / max(1, self.verdict.captured), 1)

    def shortcomings(self) -> list[str]:
        """What does not hold, in sentences; none when everything does."""
        verdict = self.verdict
        checks = [
            (verdict.captured > 0, "Nothing was captured."),
            (not verdict.lost, f"{len(verdict.lost)} entries were called saved and are not at the centre."),
            (
                verdict.captured == verdict.received,
                f"{verdict.captured} entries were called saved, the centre holds {verdict.received}.",
            ),
            (verdict.duplicates == 0, f"{verdict.duplicates} entries are at the centre more than once."),
            (verdict.conflicts == 0, f"{verdict.conflicts} identities have more than one content."),
            (self.store_valid, "The unit's store does not verify."),
            (
                verdict.chain_break is None,
                f"The chain does not hold at the centre: {verdict.chain_break}.",
            ),
            (
                not self.too_early,
                f"What the unit said of the centre was not so: {', '.join(self.too_early[:3])}.",
            ),
            (self.unit_knows, "The unit has not heard that everything was received."),
            (
                self.wrong_values == 0,
                f"{self.wrong_values} values are not at the centre once, under their person.",
            ),
            (
                self.plaintext_hits == 0,
                f"Patient data or the PIN in the clear: {self.plaintext_hits} places.",
            ),
            (
                self.scanner_control,
                "The scanner did not find what it had to find, so its silence is worthless.",
            ),
            (self.spied_messages > 0, "The stranger on the broker saw nothing, so its silence is worthless."),
            *self._broken_as_planned(),
        ]
        return [sentence for holds, sentence in checks if not holds]

    def _broken_as_planned(self) -> list[tuple[bool, str]]:
        """What is broken while it does nothing proves nothing, and is not counted as broken."""
        broke, planned = self.breakages, self.planned
        figures = [
            ("link", "cut", broke.link_cuts, planned.link_cuts),
            ("agent", "killed", broke.agent_kills, planned.agent_kills),
            ("broker", "killed", broke.broker_kills, planned.broker_kills),
            ("collector", "killed", broke.collector_kills, planned.collector_kills),
        ]
        return [
            (
                done == wanted,
                f"The {what} was to be {how} {_times(wanted)} while it was at work, and was {_times(done)}.",
            )
            for what, how, done, wanted in figures
        ]

    def as_json(self) -> dict[str, Any]:
        """One object; the names are fixed, others may be added."""
        return {
            "captured": self.verdict.captured,
            "received": self.verdict.received,
            "lost": len(self.verdict.lost),
            "duplicates": self.verdict.duplicates,
            "conflicts": self.verdict.conflicts,
            "chain_valid": self.chain_valid,
            **dataclasses.asdict(self.breakages),
            "plaintext_hits": self.plaintext_hits,
            "scanner_control": self.scanner_control,
            "broker": self.broker,
            "bytes_per_entry": self.bytes_per_entry,
            "seconds": round(self.seconds, 1),
            "patients": self.patients,
            "seed": self.seed,
            "wrong_values": self.wrong_values,
            "claims": self.claims,
            "claims_too_early": len(self.too_early),
            "unit_knows": self.unit_knows,
            "slips_refused": self.slips_refused,
            "confirmed": self.confirmed,
            "repeats_agreed": self.repeats_agreed,
            "spied_messages": self.spied_messages,
            "shortcomings": self.shortcomings(),
            "canaries": self.canaries,
        }

    def as_text(self) -> str:
        """The proof as a person reads it."""
        verdict, broke = self.verdict, self.breakages
        control = "the scanner works" if self.scanner_control else "BUT THE SCANNER DOES NOT WORK"
        figures: list[tuple[str, object, str]] = [
            ("captured", verdict.captured, "entries the unit called saved, noted as it said so"),
            ("received", verdict.received, "of them in the centre's tables, counted there"),
            ("lost", len(verdict.lost), ""),
            ("duplicates", verdict.duplicates, ""),
            ("conflicts", verdict.conflicts, ""),
            (
                "wrong",
                self.wrong_values,
                "values not under their person, not as typed or measured, or not once",
            ),
            ("too early", len(self.too_early), f"of {self.claims} times it said arrived or received"),
            ("chain", "valid" if self.chain_valid else "BROKEN", "hashed again from the first entry"),
            ("in the clear", self.plaintext_hits, f"names, identifiers or the PIN; {control}"),
            (
                "on the link",
                self.bytes_per_entry,
                "bytes an entry: ECG, small live batches, keys and resends too",
            ),
        ]
        title = (
            f"A morning of {self.patients} synthetic patients in {self.seconds:.0f} s"
            f" (seed {self.seed}, broker {self.broker})."
        )
        story = (
            f"Meanwhile the link was cut {_times(broke.link_cuts)}; the agent was killed "
            f"{_times(broke.agent_kills)}, the broker {_times(broke.broker_kills)}, the collector "
            f"{_times(broke.collector_kills)}."
        )
        shortcomings = self.shortcomings()
        end = (
            ["THIS REHEARSAL FAILED:", *(f"  - {words}" for words in shortcomings)]
            if shortcomings
            else ["Nothing that was called saved was lost, doubled or shown to a stranger."]
        )
        return "\n".join(
            [
                title,
                "",
                *(f"  {label:13}{value!s:>7}   {words}".rstrip() for label, value, words in figures),
                "",
                story,
                *end,
            ]
        )


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
