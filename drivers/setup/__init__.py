r"""How a device is met: what is particular about it stands in its folder, everything else stands here.

A device folder gives four things:

``codec.py``     bytes to values and back, pure
``readings.py``  values to `Reading` and `Wave`, pure; ``decode_chunks`` for ``devices decode``
``driver.py``    a `Family`: the steps, an `Ear`, the manner in which the device speaks
``simulator.py`` the device's other end

and this package does the rest: opens the line, carries out the steps, listens, watches for silence, and
signs every reading with the device's identity, its battery and how far its clock was off. A whole driver::

    FAMILY = Family(
        kind="sig-thermometer",
        words=Words("thermometer", silent="switch it on.", wrong="see that the address is its own."),
        opening=BleOpening(service=uuids.HEALTH_THERMOMETER_SERVICE),
        steps=(
            Bond(),                                                   # before anything is said
            Require(uuids.TEMPERATURE_MEASUREMENT, "measures no temperature"),
            ReadIdentity(),                                           # 180A, once for each device
            ReadBattery(),
            Read(uuids.TEMPERATURE_TYPE),                             # → known.values[uuid]
            LookAtClock(),                                            # → known.clock; before it is set
            SetDateTime(),                                            # 2A08, as A&D
            SetCurrentTimeWhenTold(),                                 # 2A2B, as Omron
            Subscribe(uuids.INTERMEDIATE_TEMPERATURE, optional=True),
            Subscribe(uuids.TEMPERATURE_MEASUREMENT),                 # last: now it pours out what it has
        ),
        ear=ThermometerEar,
        manner=Manner(patience_s=120, after={uuids.TEMPERATURE_MEASUREMENT: 5}, quiet_ends=True),
    )

    class ThermometerEar(Ear):
        def __init__(self, known: Known) -> None: ...
        def hear(self, heard: Heard) -> Iterable[Said]:
            if heard.channel == uuids.TEMPERATURE_MEASUREMENT:
                yield temperature(heard.raw, ...)

    def make(context: DriverContext) -> Driver:
        return SetUpDriver(context, FAMILY)

On a serial line there is one channel, `STREAM`, cut into frames by the codec's `Grammar`::

    opening=SerialOpening(LineSettings(9600)),
    steps=(Frames(Nonin), Recognise(frames=3)),                       # nothing else is the wrong device
    manner=Manner(patience_s=3),                                      # no frame for so long: it has gone

    steps=(FirstThatWorks((Way("new", (Tune(LineSettings(115_200)), Frames(New),
                                       Ask("stop", STOP, answers=is_stopped), Write(STREAM, START))),
                           Way("old", (Tune(LineSettings(19_200, Parity.ODD)), Frames(Old), Recognise())))),)
    manner=Manner(patience_s=3, repeats=(Repeat(Send(KEEP_ALIVE), every_s=5),))

All steps: `drivers.setup.steps`. All an ear may give and override: `drivers.setup.ear`.

*Errors.* A step that is optional never stops a reading: it leaves ``Skipped(step, code)`` in
``known.skipped``, after 3 s at most. One that is not ends the session: ``device-silent``,
``device-not-understood``, or what the line says (``ble-gone``, ``device-unplugged``, ``bond-lost``, …).
An ear *raises* `DeviceMisbehaved` to refuse one value; it *gives* a `DeviceError` to end the session.

*What a device keeps.* Ask for it by `AskForRecords` (or an ordinary `Write`), and hand on every record,
oldest first, with ``stored=True``, its own time in ``at``, and ``record``: bytes that are the same whenever
the device sends it again. An ear that must see all before it knows the order holds them back and gives them
in ``end()``, or in ``hear`` when the device says that there are no more; then `Done`, unless it streams on.
Nothing on the device is cleared but in ``Ear.committed``, which is called after our commit; the driver is
then a `ClearingDriver`.

*Recording and replay.* A `Line` is all there is below: whoever gives `DriverContext.lines` another `Lines`
sees every value that is read, written and heard, or plays the device's part.
"""
