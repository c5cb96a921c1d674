"""How bits travel on a serial line, as a driver's `Family` says it.

Apart from `drivers.setup.line`, because it brings pyserial, which only those need who open a port.
"""

from drivers.transport.serial_port import LineSettings, Parity

__all__ = ["LineSettings", "Parity"]
