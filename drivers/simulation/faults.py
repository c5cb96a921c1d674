"""What may happen to a simulated device, in words that every simulator understands as far as it can.

Orders come as lines: to a serial simulator on standard input, to one in the air by the world's, after its
key. A simulator has words of its own beside these, and refuses (names on standard error, or answers
False) what cannot happen to it.

=====================  =================================================================================
``sensor on|off``      the finger, arm, chest or skin is there, or is not
``motion on|off``      the patient moves: noise in waves, flags, failed measurements, as the device does it
``noise on|off``       serial: bytes are added, cut and replaced on the line
``unplug`` ``replug``  serial: the port disappears, and comes back
``hang-up``            air: the link ends once, in the middle of whatever goes on
``leave`` ``return``   air: out of reach, and back; the world does it
``forget``             air: the device loses its bonds; the world does it
``battery PERCENT``    what is left in it; a device that cannot say so ignores it
``clock SECONDS``      its own clock is wrong by so much from now on; one that has none ignores it
``measure``            a spot device measures now and tells; ``every=SECONDS`` makes it do so by itself
=====================  =================================================================================
"""

from enum import StrEnum


class Fault(StrEnum):
    """What scenarios call it."""

    SENSOR_OFF = "sensor-off"
    MOTION = "motion"
    NOISE = "noise"
    UNPLUG = "unplug"
    HANG_UP = "hang-up"
    OUT_OF_REACH = "out-of-reach"
    BOND_LOST = "bond-lost"
    LOW_BATTERY = "low-battery"
    WRONG_CLOCK = "wrong-clock"
