"""A worker that reports the states of its tasks every two seconds, as real ones do: it waits two
seconds for each answer and sends an update again when none came. Prints every attempt."""
import asyncio

import worker


async def follow(address, id, updates, attempts):
    client = worker.client(address, id=id, timeout=2)
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def report(key):
        log = []
        for state, asks in enumerate(updates[key]):
            await asyncio.sleep(begin + 2 * state - loop.time())
            for attempt in range(1, attempts + 1):
                update = {"key": key, "state": state, "attempt": attempt, "asks": asks}
                ended = await worker.outcome(client.send_msg("U", [update]))
                log.append([state, attempt, ended])
                if not ended.startswith("ReadTimeout"):
                    break
        return log

    logs = await asyncio.gather(*(report(key) for key in updates))
    client.quit()
    return dict(zip(updates, logs))


worker.main(follow)
