"""A server of the package on a path. Prints each message as a JSON line before it is acknowledged:
the id, the type and Python's `repr` of the value. Reads its options as one line of JSON, and ends
when nobody is left to write to it."""
import asyncio
import builtins
import json
import sys
import time

from loguru import logger

from dip import Protocol, Server, errors


def register_string_mapping():
    class StringMappingProto(Protocol, mtype=b"s"):
        """The example of the README, under a byte that no stranger (SSH) begins with."""
        MAP = {"Hello World": b"h"}
        MAP_REV = {v: k for k, v in MAP.items()}

        @classmethod
        def decode_body(cls, buf):
            data = cls.MAP_REV.get(buf.tobytes())
            if data is None:
                raise errors.ProtoDecodeError(f"Cannot decode byte: {buf.tobytes()!r}")
            return data

        @classmethod
        def encode_body(cls, data):
            return cls.MAP[data]


def tell(line):
    print(json.dumps(line), flush=True)


def callback(id, mtype, data):
    tell({"id": id and str(id), "mtype": mtype, "value": repr(data)})
    if isinstance(data, dict):
        time.sleep(data.get("sleep", 0))
        if "raise" in data:
            raise getattr(builtins, data["raise"])(data["text"])


async def serve(path, string_mapping=False, log=False):
    if not log:
        logger.remove()
    if string_mapping:
        register_string_mapping()
    left = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, left.set)
    server = Server(path, callback)
    await server.start()
    tell({"listening": path})
    await left.wait()


asyncio.run(serve(**json.loads(sys.stdin.readline())))
