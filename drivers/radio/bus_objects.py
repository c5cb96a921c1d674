"""Objects with properties and methods on a D-Bus connection, as a daemon offers them."""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
UNKNOWN_OBJECT: Final = "org.freedesktop.DBus.Error.UnknownObject"
INVALID_ARGS: Final = "org.freedesktop.DBus.Error.InvalidArgs"
UNKNOWN_METHOD: Final = "org.freedesktop.DBus.Error.UnknownMethod"

YES: Final = Variant("b", True)  # noqa: FBT003  Variant's
NO: Final = Variant("b", False)  # noqa: FBT003  the same

Interfaces = dict[str, dict[str, Variant]]


class BusError(Exception):
    """What a method answers instead of a result."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(name, text)
        self.name = name
        self.text = text


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a method answers; descriptors are handed over and closed here."""

    signature: str = ""
    body: tuple[Any, ...] = ()
    fds: tuple[int, ...] = ()


Method = Callable[[Message], Awaitable[Result]]


class ObjectTree:
    """The objects of one daemon. Calls run side by side, as in a daemon that serves many."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._objects: dict[str, Interfaces] = {}
        self._methods: dict[tuple[str, str, str], Method] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncGenerator[None]:
        """Answer calls while the context lasts; what runs then is cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._bus.add_message_handler(self._called)
            try:
                yield
            finally:
                self._bus.remove_message_handler(self._called)
                self._group = None
                for task in self._tasks:
                    task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the answers, while they last."""
        if self._group is None:
            work.close()
        else:
            task = self._group.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def has(self, path: str) -> bool:
        return path in self._objects

    def below(self, path: str) -> list[str]:
        """The paths under this one."""
        return [one for one in self._objects if one.startswith(f"{path}/")]

    def get(self, path: str, interface: str, name: str) -> Any:  # noqa: ANN401  properties have many types
        """A property's value, or None."""
        found = self._objects.get(path, {}).get(interface, {}).get(name)
        return None if found is None else found.value

    def add(
        self, path: str, interfaces: Interfaces, methods: Mapping[tuple[str, str], Method] | None = None
    ) -> None:
        """Offer an object, and tell everybody; harmless when it is there already."""
        for (interface, member), method in (methods or {}).items():
            self._methods[path, interface, member] = method
        if path in self._objects:
            return
        self._objects[path] = interfaces
        self._tell("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str) -> None:
        """Take an object away, and all below it."""
        for one in [*self.below(path), path]:
            interfaces = self._objects.pop(one, None)
            if interfaces is None:
                continue
            for key in [key for key in self._methods if key[0] == one]:
                del self._methods[key]
            self._tell("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [one, list(interfaces)])

    def change(
        self, path: str, interface: str, changed: Mapping[str, Variant], gone: Iterable[str] = ()
    ) -> None:
        """Change properties, and tell everybody."""
        properties = self._objects.get(path, {}).get(interface)
        if properties is None:
            return
        properties.update(changed)
        lost = [name for name in gone if properties.pop(name, None) is not None]
        if changed or lost:
            self._tell(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, dict(changed), lost])

    def _tell(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _called(self, message: Message) -> bool:
        if message.message_type is not MessageType.METHOD_CALL or self._group is None:
            return False
        self.spawn(self._answer(message))
        return True

    async def _answer(self, message: Message) -> None:
        result = Result()
        try:
            result = await self._method(message)(message)
            reply = Message.new_method_return(message, result.signature, list(result.body), list(result.fds))
        except BusError as error:
            reply = Message.new_error(message, error.name, error.text)
        try:
            if self._bus.connected:
                await self._bus.send(reply)
        finally:
            for descriptor in result.fds:
                os.close(descriptor)

    def _method(self, message: Message) -> Method:
        path, interface, member = str(message.path), str(message.interface), str(message.member)
        if (path, interface, member) == ("/", OBJECT_MANAGER, "GetManagedObjects"):
            return self._managed
        if (interface, member) == (PROPERTIES, "Get") and path in self._objects:
            return self._get_property
        found = self._methods.get((path, interface, member))
        if found is not None:
            return found
        if path not in self._objects and path not in {key[0] for key in self._methods}:
            raise BusError(UNKNOWN_OBJECT, f"no object {path}")
        raise BusError(UNKNOWN_METHOD, f"no method {interface}.{member}")

    async def _get_property(self, message: Message) -> Result:
        interface, name = message.body
        found = self._objects.get(str(message.path), {}).get(interface, {}).get(name)
        if found is None:
            raise BusError(INVALID_ARGS, f"No such property '{name}'")
        return Result("v", (found,))

    async def _managed(self, _message: Message) -> Result:
        return Result("a{oa{sa{sv}}}", (self._objects,))
