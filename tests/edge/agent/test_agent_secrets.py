"""What unlocks a device: made at pairing, kept in the store alone, known to drivers while it is open."""

import asyncio
from pathlib import Path

import pytest

from edge.agent.parts import Device
from edge.ports.caller import CallRefused
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable
from edge.store.store import Store
from tests.edge.agent.agent_world import Centre, World, until
from tests.edge.agent.workshop_stage import AIR, TECHNICIAN, Recorded, Shop, somebody

OTHER = "ble:C0:FF:EE:00:00:02"
KNOWN = bytes(range(0x20, 0x30))


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.locks = True
    return made


@pytest.fixture
def workbench(tmp_path: Path, shop: Shop) -> World:
    cuff = shop.made["cuff-1"] = Recorded(shop, "cuff-1")
    made = World(tmp_path, Centre(), [Device(cuff, port=AIR)], workshop=shop)
    made.make()
    return made


def kept(world: World) -> dict[str, bytes]:
    store = world.store()
    try:
        return store.device_secrets()
    finally:
        store.close()


def travels(store: Store) -> list[bytes]:
    """Everything that may ever leave the box."""
    return [row[0] for row in store._rows("SELECT payload FROM journal WHERE payload IS NOT NULL")]


async def test_a_device_that_is_paired_is_given_a_new_key_which_the_store_keeps(
    workbench: World, shop: Shop
) -> None:
    async with workbench.running():
        assert not shop.told_secrets
        async with somebody(workbench, *TECHNICIAN) as technician:
            paired = await technician.ask(
                "device.pair",
                device="cuff-2",
                kind="sig-bp",
                port=OTHER,
                options={"model": "M"},
                seconds=5,
            )
            assert (paired["paired"], shop.options) == (True, {"model": "M"})
            assert len(shop.cuff_has) == 16
            assert kept(workbench) == shop.secrets == {"cuff-2": shop.cuff_has}
            store = workbench.store()
            assert all(shop.cuff_has not in payload for payload in travels(store))
            store.close()
            await technician.ask("lock")
            await until(lambda: shop.secrets is None)
        async with somebody(workbench, *TECHNICIAN) as technician:
            assert shop.secrets == {"cuff-2": shop.cuff_has}
            forgotten = await technician.ask("device.forget", device="cuff-2")
            assert forgotten["had_keys"] is True
            assert kept(workbench) == shop.secrets == {}


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (DeviceMisbehaved("It is not.", code="not-in-pairing-mode"), "not-in-pairing-mode"),
        (DeviceUnavailable("It is gone.", code="ble-not-heard"), "ble-not-heard"),
    ],
)
async def test_a_device_that_takes_no_new_key_keeps_the_one_it_has_and_so_do_we(
    workbench: World, shop: Shop, refusal: DeviceMisbehaved | DeviceUnavailable, code: str
) -> None:
    async with workbench.running(), somebody(workbench, *TECHNICIAN) as technician:
        await technician.ask("device.secret", device="cuff-1", secret=KNOWN.hex())
        cuff = shop.made["cuff-1"]
        await until(lambda: cuff.sessions == 1)
        shop.refuses = refusal
        with pytest.raises(CallRefused) as refused:
            await technician.ask("device.pair", device="cuff-1", seconds=1)
        assert refused.value.stable_code == code
        assert kept(workbench) == shop.secrets == {"cuff-1": KNOWN}
        await until(lambda: cuff.sessions == 2)  # it was left alone meanwhile, and is listened to again
        shop.refuses = None
        await technician.ask("device.pair", device="cuff-1", seconds=1)
        assert kept(workbench) == shop.secrets == {"cuff-1": shop.cuff_has} != {"cuff-1": KNOWN}
        shop.refuses = refusal
        with pytest.raises(CallRefused):
            await technician.ask("device.pair", device="cuff-2", kind="sig-bp", port=OTHER, seconds=1)
        assert [each["key"] for each in (await technician.ask("status"))["devices"]] == ["cuff-1"]
        assert list(kept(workbench)) == ["cuff-1"]


async def test_while_a_device_is_given_its_key_nobody_else_speaks_to_it(workbench: World, shop: Shop) -> None:
    cuff, asked, go_on = shop.made["cuff-1"], asyncio.Event(), asyncio.Event()
    give = shop.give_secret

    async def give_slowly(key: str, kind: str, port: str, secret: bytes) -> None:
        asked.set()
        await go_on.wait()
        await give(key, kind, port, secret)

    shop.give_secret = give_slowly  # type: ignore[method-assign]  # one of a test's strings
    async with workbench.running(), somebody(workbench, *TECHNICIAN) as technician:
        await until(lambda: cuff.sessions == 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(technician.ask("device.pair", device="cuff-1", seconds=30))
            await asked.wait()
            async with somebody(workbench, *TECHNICIAN) as other:  # who tests it meanwhile
                tested = await other.ask("device.test", device="cuff-1", seconds=1)
                assert tested["passed"] is False
            assert cuff.sessions == 1
            go_on.set()
        await until(lambda: cuff.sessions == 2)


async def test_a_key_that_somebody_knows_is_typed_once_and_never_shown(workbench: World, shop: Shop) -> None:
    async with workbench.running(), somebody(workbench, *TECHNICIAN) as technician:
        for secret in ("12", KNOWN.hex()[:-1], f"{KNOWN.hex()}00", "g" * 32):
            with pytest.raises(CallRefused) as refused:
                await technician.ask("device.secret", device="cuff-1", secret=secret)
            assert refused.value.stable_code == "secret-refused"
            assert secret not in f"{refused.value} {refused.value.next_step}"
        assert kept(workbench) == {}
        answer = await technician.ask("device.secret", device="cuff-1", secret=KNOWN.hex())
        assert answer == {"device": "cuff-1", "kept": True}
        assert kept(workbench) == shop.secrets == {"cuff-1": KNOWN}
        assert (await technician.ask("device.secret", device="cuff-1", secret=None))["kept"] is False
        assert kept(workbench) == shop.secrets == {}
        shop.locks = False
        with pytest.raises(CallRefused) as refused:
            await technician.ask("device.secret", device="cuff-1", secret=KNOWN.hex())
        assert refused.value.stable_code == "secret-refused"
        with pytest.raises(CallRefused) as refused:
            await technician.ask("device.secret", device="cuff-9", secret=None)
        assert refused.value.stable_code == "no-device"
