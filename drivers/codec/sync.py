"""How much of a bad frame to give up: all of it, unless another frame may begin inside."""


def to_next(stream: bytes, at: int, length: int, sync: bytes) -> int:
    """How many of the ``length`` bytes from ``at`` cannot begin a frame that begins with ``sync``.

    At least the first is given up. The whole length must have come, so that the answer is the same
    however the stream was cut; what stands at its end may be half a ``sync``.
    """
    end = at + length
    place = stream.find(sync, at + 1, end)
    if place >= 0:
        return place - at
    for half in range(min(len(sync) - 1, length - 1), 0, -1):
        if stream[end - half : end] == sync[:half]:
            return length - half
    return length
