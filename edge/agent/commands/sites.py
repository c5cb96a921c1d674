"""Where the unit works: which places there are, and at which it stands."""

import uuid

from edge.agent import view
from edge.agent.ledger import Ledger
from edge.agent.refusals import SiteRefused, Unknown
from edge.ports.caller import Answer, Call
from edge.records.fields import Field, Kind, Stream
from edge.store.rows import Site
from edge.store.store import Store
from edge.store.transaction import Transaction


class SiteCommands:
    """Commands on sites; nothing of a patient."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def known(self, _call: Call) -> Answer:
        """The sites, and where the unit stands as far as somebody has said since it was started."""
        boot = self._ledger.now().boot

        def read(store: Store) -> Answer:
            return {
                "sites": [view.site(each) for each in store.sites()],
                "here": view.uuid_text(store.site_here(boot)),
            }

        return await self._ledger.read(read)

    async def arrive(self, call: Call, *, site: uuid.UUID | None, name: str | None) -> Answer:
        """The unit stands here; a name that is known already, however it is written, is that site.

        Raises:
            SiteRefused: both are given, or neither.
            Unknown: there is no such site.
        """
        if (site is None) is (name is None):
            raise SiteRefused
        fresh = self._ledger.new_id().bytes
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            known = store.site_called(name) if name is not None else site and store.site(site.bytes)
            if known is None and name is None:
                raise Unknown("There is no such site.", next_step="Choose another.", code="no-site")
            here = known or Site(fresh, name or "", None)
            entry = stamp | {Field.SITE: here.site, Field.SITE_NAME: here.name}
            tx.append(Stream.VITALS, Kind.SITE, entry)
            return {
                "site": view.uuid_text(here.site),
                "saved": view.identities(map(tx.identity, tx.appended)),
            }

        return await self._ledger.commit_once(call, work, what="site")
