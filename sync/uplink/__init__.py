"""The van's end of the link: ``spool/out`` to the broker, signed receipts from it into ``spool/in``.

The process that faces the internet. It sees sealed bytes and public keys only, writes nothing where
the agent writes, and loses nothing whenever it dies: whatever no receipt covers stays in the spool and
is sent again. How it behaves is described in ``docs/reference/uplink.md``.
"""
