"""What the scripts of this folder share. Each reads a JSON object and prints a JSON value."""
import asyncio
import json
import sys

from loguru import logger

logger.remove()

from dip import Client
from dip.client import AbstractClient
from dip.connection import AbstractConnection, ClientProtocol
from dip.pool import AbstractConnectionPool


def client(address, **options):
    """A client of the package for a path or tcp:HOST:PORT, with a pool of its own."""
    options["use_shared_pool"] = False
    if address.startswith("tcp:"):
        host, _, port = address[4:].rpartition(":")
        return TcpClient(host, int(port), **options)
    return Client(address, **options)


async def outcome(sending):
    """`ok`, or the error that the package raises."""
    try:
        await sending
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def main(work):
    """Runs the coroutine function `work` on the input."""
    print(json.dumps(asyncio.run(work(**json.load(sys.stdin)))))


# The package speaks TCP on Windows only; these are its own classes, for every system.

class TcpConnection(AbstractConnection):
    def __init__(self, host, port, *args, **options):
        self._address = host, port
        super().__init__(*args, **options)

    async def _connect(self):
        return await self._loop.create_connection(lambda: ClientProtocol(self), *self._address)


class TcpPool(AbstractConnectionPool):
    def __init__(self, host, port, *args, **options):
        self._address = host, port
        super().__init__(*args, **options)

    async def _new_connection(self):
        connection = TcpConnection(*self._address, self._loop, **self._conn_opts)
        await connection.connect()
        self._conns.add(connection)
        return connection


class TcpClient(AbstractClient):
    def __init__(self, host, port, *args, **options):
        self._address = host, port
        super().__init__(*args, **options)

    def _new_connection_pool(self):
        return TcpPool(*self._address, self._loop, maxsize=self._pool_size,
                       connection_id=self._id, **self._conn_opts)
