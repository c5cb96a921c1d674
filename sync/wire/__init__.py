"""What both ends of the link agree on: topics, envelope, batches, receipts, keys.

Pure: bytes and keys come in as arguments, bytes and values go out. Every byte is documented in
``docs/reference/wire.md``; tests hold the two together.
"""
