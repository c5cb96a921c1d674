"""The encrypted store: one SQLCipher file, one writer, rows and journal in one transaction."""

from edge.store.errors import (
    IdentifierTaken,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreExists,
    StoreFull,
    StoreMissing,
    StoreNewer,
    StoreReadOnly,
    StoreRefused,
    StoreTooOld,
    StoreUnprotected,
    StoreUnreadable,
    WrongKey,
)
from edge.store.rows import (
    Alert,
    DeviceSaid,
    Encounter,
    Observation,
    Patient,
    Watermark,
    Waveform,
    WaveformChunk,
)
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.store.verify import Damage, VerifyResult

__all__ = [
    "Alert",
    "Damage",
    "DeviceSaid",
    "Encounter",
    "IdentifierTaken",
    "Observation",
    "Patient",
    "Store",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreExists",
    "StoreFull",
    "StoreMissing",
    "StoreNewer",
    "StoreReadOnly",
    "StoreRefused",
    "StoreTooOld",
    "StoreUnprotected",
    "StoreUnreadable",
    "Transaction",
    "VerifyResult",
    "Watermark",
    "Waveform",
    "WaveformChunk",
    "WrongKey",
]
