"""The agent backs its store up while it is in use."""

from pathlib import Path

import pytest

from edge import recovery
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.store import Store, backup
from tests.edge.agent.agent_world import KEY, Nurse, World


async def test_a_technician_backs_up_what_the_nurse_goes_on_with(world: World, tmp_path: Path) -> None:
    world.recovery_key = recovery.make_private()
    stick = tmp_path / "stick"
    stick.mkdir()
    async with world.nurse() as nurse, connect(world.socket) as other:
        visit = await nurse.visit("Alaoui")
        tariq = Nurse(other)
        await tariq.ask("sign-in", user="tariq", pin="615243")
        with pytest.raises(CallRefused) as refused:
            await tariq.ask("store.backup", into=str(tmp_path / "not-mounted"))
        assert refused.value.stable_code == "backup-medium"
        answer = await tariq.ask("store.backup", into=str(stick))
        await nurse.observe(visit)
    folder = stick / str(answer["folder"])
    manifest = backup.look(folder)
    assert answer["for_recovery"] is True
    assert manifest.by_recovery is not None
    assert manifest.by_recovery.to == recovery.public(world.recovery_key)
    assert manifest.papers["slots"] == (world.home / "store" / "slots").read_bytes()
    backup_key = manifest.opened_by(KEY)
    assert backup_key is not None
    backup.copy_out(folder, manifest, backup_key, tmp_path / "new.db", KEY)
    copy = Store.open(tmp_path / "new.db", KEY)
    assert [patient.family for patient in copy.patients()] == ["Alaoui"]
    assert copy.open_encounter() is not None
    copy.close()
