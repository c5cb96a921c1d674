"""Padmé: lengths rounded so that they tell little (Nikitin et al., PURBs, PoPETs 2019, section 4).

What is padded ends in ``0x80`` and zeros; at most 12 % longer, less the longer it is.
"""

from sync.wire.errors import EnvelopeRefused


def padded_length(length: int) -> int:
    """Round up so that no more than the leading half of the bits of a length vary."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(content: bytes) -> bytes:
    return (content + b"\x80").ljust(padded_length(len(content) + 1), b"\x00")


def unpad(padded: bytes) -> bytes:
    """Take the padding off.

    Raises:
        EnvelopeRefused: decode, when it is not the padding that `pad` gives this content.
    """
    content = padded.rstrip(b"\x00")
    if content[-1:] != b"\x80" or len(padded) != padded_length(len(content)):
        raise EnvelopeRefused("decode")
    return content[:-1]
