"""The agent's side of the wire: seals and reads receipts with the keys it is given. No I/O."""
