"""Sends the steps of one worker; see `Step` in tests/src/step.rs. Prints how many were accepted."""
import uuid

import worker


async def load(address, number, messages):
    client = worker.client(address, id=uuid.UUID(int=number))
    checksum = 0xcbf29ce484222325
    for n in range(1, messages + 1):
        text = f"{number}/{n}" + "é" * (n % 50)
        for byte in text.encode():
            checksum = (checksum ^ byte) * 0x100000001b3 % 2 ** 64
        await client.send_json({"worker": number, "number": n, "text": text, "checksum": checksum})
    client.quit()
    return messages


worker.main(load)
