"""The centre's end of the link: land what is validly signed, open it, keep rows, answer with receipts.

Two processes with two powers. `collect` faces the broker, verifies and lands; it holds no key that opens
anything. `explode` opens, re-hashes and commits rows; it reads what landed from the database only.
"""
