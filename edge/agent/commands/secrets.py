"""What unlocks a device: made at pairing, or typed once; kept in the store, and never shown again."""

from collections.abc import Callable

from edge.agent import payloads
from edge.agent.ledger import Ledger
from edge.agent.refusals import SecretRefused
from edge.ports.caller import Answer, Call
from edge.ports.workshop import Workshop
from edge.records.fields import Kind, Stream
from edge.store.store import Store
from edge.store.transaction import Transaction


class Secrets:
    """Keeps the secrets of devices, and has the workshop know them."""

    def __init__(self, ledger: Ledger, entropy: Callable[[int], bytes]) -> None:
        self._ledger = ledger
        self._entropy = entropy

    def make(self, size: int) -> bytes:
        """A new one."""
        return self._entropy(size)

    async def keep(self, call: Call, workshop: Workshop, device: str, secret: bytes | None) -> None:
        """Store what unlocks a device in place of what did before, with who did so; None for nothing.

        Raises:
            StoreError: nothing was changed.
        """
        entry = self._ledger.stamp(call) | payloads.access(call.method, device)

        def work(tx: Transaction, store: Store) -> dict[str, bytes]:
            tx.set_device_secret(device, secret)
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
            return store.device_secrets()

        workshop.unlock((await self._ledger.commit(work, what="device")).result)

    async def typed(
        self, call: Call, workshop: Workshop, device: str, kind: str, secret: str | None
    ) -> Answer:
        """One that is known already, as hex; None to forget it.

        Raises:
            SecretRefused: it is none of a device of this kind.
        """
        size = workshop.secret_size(kind)
        if size is None:
            raise SecretRefused(f"A {kind} is not unlocked with a key.", next_step="There is nothing to set.")
        raw = None
        if secret is not None:
            try:
                raw = bytes.fromhex(secret)
            except ValueError:
                raw = b""
            if len(raw) != size:
                raise SecretRefused(
                    f"The key of a {kind} has {2 * size} hex digits.", next_step="Type it again, whole."
                )
        await self.keep(call, workshop, device, raw)
        return {"device": device, "kept": raw is not None}
