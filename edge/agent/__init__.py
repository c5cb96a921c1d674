"""The long-running process: devices in, entries committed, sealed, receipts judged."""
