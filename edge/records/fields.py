"""Field numbers of journal payloads, and the rules every payload keeps.

A payload is a map from field number to value in deterministic CBOR (`edge.cbor`). Numbers are never
reused. A reader keeps fields it does not know: it hashes the bytes, not its understanding of them.
The layout is documented field by field in ``docs/reference/wire.md``, which a test compares.
"""

from enum import IntEnum
from typing import Final, TypeAlias

from edge.cbor import Value

SCHEMA_VERSION: Final = 1

Payload: TypeAlias = dict[int, Value]


class Stream(IntEnum):
    """The five journals of an epoch, in order of sending (audit last)."""

    ALERT = 0
    VITALS = 1
    DOC = 2
    WAVE = 3
    AUDIT = 4

    @property
    def word(self) -> str:
        """The stream's name in topics and file names."""
        return self.name.lower()


class Kind(IntEnum):
    """What an entry records; the number is hashed and travels."""

    GENESIS = 1
    PATIENT = 2
    ENCOUNTER_OPENED = 3
    OBSERVATION = 4
    ENCOUNTER_CLOSED = 5
    ASSIGNMENT = 6
    CORRECTION = 7
    ALERT = 8
    ACCESS = 9
    DEVICE = 10
    WAVEFORM = 11
    WAVE_CHUNK = 12
    WAVEFORM_ENDED = 13
    CLOCK = 14
    CONSENT = 15
    MERGED = 16
    UNMERGED = 17
    SITE = 18
    VOID = 19
    PURGED = 20
    ERASED = 21
    REQUESTED = 22
    REQUEST_CHANGED = 23
    RECEIVED = 24
    READ = 25
    WAVE_PREVIEW = 26
    ATTACHMENT = 27
    ATTACHMENT_PART = 28
    CONFIGURED = 29
    HEALTH = 30


class Field(IntEnum):
    """Field numbers. 1 to 19 are common to all kinds; 20 and above belong to the kind."""

    # the stamp: when, where, who
    WALL_MS = 1  # int, ms since 1970 UTC
    BOOT = 2  # 8 bytes
    MONOTONIC_MS = 3  # int
    CLOCK_QUALITY = 4  # int, edge.clock.ClockQuality
    OPERATOR = 5  # text, user id
    REQUEST = 6  # 8 bytes, digest of the client's request id (request_digest)
    PATIENT = 7  # 16 bytes, UUIDv7
    SALT = 8  # 32 bytes: S_p, or S_0 in a genesis
    PLACE = 9  # [latitude, longitude] in 1e-7 degrees
    ORIGIN = 10  # [epoch 8 bytes, stream, seq] of a re-journalled entry
    ENCOUNTER = 11  # 16 bytes, UUIDv7

    # genesis
    UNIT = 20  # text
    REALM = 21  # text
    PARENT = 22  # [epoch 8 bytes, [tip of each stream]]

    # patient
    REVISION = 30  # int, from 1
    FAMILY = 31  # text
    GIVEN = 32  # text
    SEX = 33  # text: female, male, other, unknown
    BIRTH = 34  # text: YYYY, YYYY-MM or YYYY-MM-DD
    IDENTIFIERS = 35  # [[system, value], ...]
    PHONE = 36  # text
    VILLAGE = 37  # text
    FAMILY_ARABIC = 38  # text: the same name in Arabic letters; FAMILY is left out where only this is known
    GIVEN_ARABIC = 39  # text
    BIRTH_ESTIMATED = 40  # true where BIRTH was told by guess, else left out

    # merged, unmerged: PATIENT is who stays; also REASON and REVISION, counted for each DUPLICATE
    DUPLICATE = 45  # 16 bytes, UUIDv7: the same person entered once more

    # observation
    CODE = 50  # text, edge.vitals.codes.Code
    VALUE = 51  # [mantissa, exponent], value = mantissa x 10^exponent
    MISSING = 52  # text, edge.vitals.quantity.MissingReason
    DEVICE = 53  # text, the device's key
    DEVICE_RECORD = 54  # 8 bytes: a stored record of the device, first bytes of its SHA-256
    SOURCE = 55  # int, Source
    FLAGS = 56  # [text, ...]
    DEVICE_TIME = 57  # text, device wall clock without zone
    READING = 58  # int: values with one number came in one reading; counts up within an epoch
    DEVICE_VALUE = 59  # [[mantissa, exponent], unit] as sent, when converted
    CONFIRMED = 60  # text: what the nurse confirmed (a limit's code)
    CLOCK_OFF = 61  # int, s: by how much the clock of DEVICE_TIME was ahead of the box's
    LIMITS = 62  # text, version of the table of limits that asked for CONFIRMED

    # a score: an observation that a rule gave; VALUE is its total, FLAGS its alerts and notes
    RULE_VERSION = 63  # text, of the table
    BAND = 64  # text, the class in the rule's own word
    PARTS = 65  # [[input, points or text], ...]
    INPUTS = 66  # [[epoch 8 bytes, seq], ...]: the observations it was made from

    # assignment of tray readings, correction
    ASSIGNED = 70  # [seq, ...] of observations in this epoch's vitals stream
    REASON = 71  # text
    SUPERSEDES = 72  # [epoch 8 bytes, seq]

    # encounter closed
    COUNT = 80  # int, observations of the encounter, or chunks of the waveform

    # alert
    ALERT_CODE = 90  # text
    ALERT_TEXT = 91  # text, coded or typed by a person

    # access (audit): identifiers only, never names
    ACTION = 95  # text
    OBJECT = 96  # bytes or text: an identifier

    # device: what the one called DEVICE said of itself; holds for its observations from here on
    DEVICE_KIND = 100  # text, the device family
    MANUFACTURER = 101  # text
    MODEL = 102  # text
    SERIAL = 103  # text
    FIRMWARE = 104  # text
    BATTERY = 105  # int, percent

    # waveform: one signal of one device, all its leads; also CODE, DEVICE, SOURCE
    WAVEFORM = 110  # 16 bytes, UUIDv7
    LEADS = 111  # [text, ...], empty where the device does not name a lead
    WAVE_UNIT = 112  # text, unit of STEP
    STEP = 113  # [mantissa, exponent]: what one count is
    RATE = 114  # [mantissa, exponent]: samples a second as the device says

    # chunk of a waveform; the samples are kept beside the entry (docs/reference/waveforms.md)
    CHUNK = 115  # int, from 1 without gaps
    SAMPLES = 116  # int, of each lead
    HASH = 117  # 32 bytes, SHA-256 of the encoded samples
    SIZE = 118  # int, bytes of the encoded samples
    FIRST_MS = 119  # int, monotonic time of the first sample, in the boot of BOOT
    GAPS = 120  # [[index, lost ms], ...]: samples were lost before that index
    FLAWS = 121  # [[lead, text, first, count], ...]: samples that mean nothing, edge.vitals.reading.Flaw
    RATE_FOUND = 122  # [[mantissa, exponent], [mantissa, exponent]]: rate by the box's clock, uncertainty

    # waveform ended; also COUNT, its chunks
    ENDED = 123  # text: whole, or interrupted when the agent had stopped in the midst of it

    # preview of a waveform, in vitals: LEADS has one, RATE is that after thinning, CHUNK where it begins
    PREVIEW = 124  # bytes: SAMPLES of that lead, encoded as those of a chunk

    # clock: a better one was heard; what it says holds for the wall times of BOOT that are worth less
    CLOCK_SOURCE = 130  # int, edge.clock.ClockQuality
    CLOCK_OFFSET = 131  # int, ms to add to the wall times of this boot

    # consent: the highest REVISION for a patient and scope holds
    SCOPE = 140  # text: care, tele-expertise, sharing, research
    DECISION = 141  # text: given, refused, withdrawn
    GIVEN_BY = 142  # text: patient, parent, guardian, relative
    FORM = 143  # text: oral, written
    LANGUAGE = 144  # text, ISO 639 code of the language in which it was explained
    WITNESS = 145  # text: who else was there

    # site: from here on, and in this BOOT only, the unit stands there
    SITE = 150  # 16 bytes, UUIDv7; in an encounter opened: where
    SITE_NAME = 151  # text

    # void: SPANS are entries that nobody can read any more, nor are they in this store; REASON says why
    # purged, erased (audit): from here on the payloads of these entries are gone and their leaves stay
    SPANS = 160  # [[epoch 8 bytes, stream, first, last], ...]
    ERASURE = 161  # 16 bytes, UUIDv7 of the order to erase
    PEOPLE = 162  # [16 bytes, ...], UUIDv7: who was erased: who was named, then who was merged into them
    SAMPLES_GONE = 163  # as SPANS: chunks whose samples are gone and whose payloads stay

    # requested: a specialist is asked; an urgent one leaves as an alert, with all that it rests on
    EXPERTISE = 180  # 16 bytes, UUIDv7 of the request
    SPECIALTY = 181  # text
    URGENCY = 182  # text: routine, urgent, stat
    ACT = 183  # text: tele-expertise, teleconsultation, telemonitoring, tele-assistance, medical-response
    QUESTION = 184  # text
    BASIS = 185  # text: consent, emergency
    ATTACHED = 186  # [[epoch 8 bytes, stream, seq], ...]: the entries the question is about
    RECORDINGS = 187  # [16 bytes, ...], WAVEFORM of recordings
    SNAPSHOT = 188  # [[code, [mantissa, exponent] or text why there is no value, wall ms], ...]

    # request changed; also REASON
    EVENT = 189  # text: close, withdraw

    # received, read: what came down, and that somebody has seen it
    MESSAGE = 190  # 16 bytes, UUIDv7
    DSEQ = 191  # int, the number under which it was sealed
    DOWN_KIND = 192  # text
    OUTCOME = 193  # text: applied, or the code of what kept it from being applied
    DIGEST = 194  # 32 bytes, SHA-256 of its payload

    # attachment: a photo or document of a request, with which it leaves; also SIZE, and COUNT of its parts
    # attachment part (doc): CHUNK, its number, and HASH and SIZE of the bytes beside it
    ATTACHMENT = 195  # 16 bytes, UUIDv7
    MEDIA_TYPE = 196  # text: image/jpeg, image/png, application/pdf
    WHOLE = 197  # 32 bytes, SHA-256 of the whole file
    CAPTION = 198  # text: what it shows

    # configured: MESSAGE brought a configuration, and OUTCOME says on-trial, applied, or why it was left

    # health (audit): how the unit itself is
    HEALTH = 205  # [[name, int, text or list], ...]


class Source(IntEnum):
    """Where a value came from; production refuses SIMULATED at commit, COMPUTED follows from other values."""

    DEVICE = 0
    MANUAL = 1
    LATE = 2
    SIMULATED = 3
    COMPUTED = 4
