"""The rehearsal: a morning of synthetic patients with everything going wrong, and an oracle that counts.

What it drives is the shipped software, each part a process of its own. What judges it, `oracle` and
`scanner`, shares nothing with the parts it judges but the documented numbers of the wire.
"""
