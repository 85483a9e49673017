"""Sends messages, each a type and a Python expression, and prints how each ended."""
import asyncio
import contextlib
import itertools
import uuid

import worker
from dip.proto import Protocol


class Raw(bytes):
    """A body as it is, right or wrong, for any type."""


@contextlib.contextmanager
def encoded(mtype, value):
    """Lets the package send a `Raw` value of this type."""
    if not isinstance(value, Raw):
        yield
        return
    number = ord(mtype)
    known = Protocol.registry.get(number)

    class AsItIs(known or Protocol):
        MSG_TYPE = bytes([number])

        @classmethod
        def encode_body(cls, data):
            return data

    Protocol.registry[number] = AsItIs
    try:
        yield
    finally:
        if known is None:
            del Protocol.registry[number]
        else:
            Protocol.registry[number] = known


async def send(address, messages, at_once=1, pool_size=16, **options):
    client = worker.client(address, pool_size=pool_size, **options)
    outcomes = [None] * len(messages)
    queue = enumerate(messages)

    async def work(queue):
        for place, (mtype, text) in queue:
            value = eval(text, {"Raw": Raw, "uuid": uuid})
            with encoded(mtype, value):
                outcomes[place] = await worker.outcome(client.send_msg(mtype, value))

    # The package never ends when more sends than its pool holds find it empty: they fill it first.
    await asyncio.gather(*(work(itertools.islice(queue, 1)) for _ in range(min(at_once, pool_size))))
    await asyncio.gather(*(work(queue) for _ in range(at_once)))
    client.quit()
    return outcomes


worker.main(send)
