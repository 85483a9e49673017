"""The Python half of the contender: what the crate `driver` does for those in Rust.

    bench.py server PLACE [CPU]
    bench.py client PLACE WORKLOAD WARM_UP WINDOW [CPU]    (times in milliseconds)
"""
import asyncio
import json
import os
import resource
import sys
import time

from loguru import logger

# It logs each message otherwise.
logger.remove()

from dip import Client, Server

MESSAGE = {
    "id": 1,
    "name": "sixteen bytes ok",
    "values": [
        0x10000001, 0x20000002, 0x30000003, 0x40000004,
        0x50000005, 0x60000006, 0x70000007, 0x7FFFFFFF,
    ],
}
BODY = {"w4-64k": 64 << 10, "w4-1m": 1 << 20}
IN_FLIGHT = {"w2": 64, "w3": 8}
CONNECTIONS = {"w2": 1, "w3": 16}
IDLE = 1000
CLOCK = time.perf_counter


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize()
    return {
        "user": round(used.ru_utime * 1e6),
        "system": round(used.ru_stime * 1e6),
        "waits": used.ru_nvcsw,
        "preemptions": used.ru_nivcsw,
        "resident": resident,
    }


def say(line):
    print(json.dumps(line), flush=True)


async def serve(place):
    loop = asyncio.get_running_loop()
    end = loop.create_future()

    def asked():
        if sys.stdin.readline():
            say({"usage": usage()})
        elif not end.done():
            end.set_result(None)

    await Server(place, callback=lambda id, mtype, message: None).start()
    loop.add_reader(sys.stdin, asked)
    say("listening")
    await end


def connect(place):
    return Client(place, use_shared_pool=False)


async def first_call(place):
    client = connect(place)
    await client.send_json(MESSAGE)
    return client


async def one_by_one(client, end, times):
    """The end of a call is the start of the next."""
    start = CLOCK()
    while start < end:
        await client.send_json(MESSAGE)
        now = CLOCK()
        times.append(now - start)
        start = now


async def there_twice(client, body, end, times):
    """Nothing but an acknowledgement comes back: a body goes there twice instead of there and back."""
    start = CLOCK()
    while start < end:
        await client.send_msg("O", body)
        await client.send_msg("O", body)
        now = CLOCK()
        times.append(now - start)
        start = now


async def connect_each(place, end, times):
    while (start := CLOCK()) < end:
        client = await first_call(place)
        times.append(CLOCK() - start)
        client.close()


async def workload(place, name):
    """A coroutine function of when to end and of a list for the times of the calls."""
    if name == "w7":
        return lambda end, times: connect_each(place, end, times)
    if name in BODY:
        client, body = await first_call(place), "x" * BODY[name]
        return lambda end, times: there_twice(client, body, end, times)
    in_flight = IN_FLIGHT.get(name, 1)
    clients = [await first_call(place) for _ in range(CONNECTIONS.get(name, 1))]
    if name == "w2":
        # A pool that is asked for too many at once opens more than it has room for, and whoever
        # gives the last ones back waits for ever.
        [client] = clients
        await asyncio.gather(*(client.send_json(MESSAGE) for _ in range(client.pool.maxsize)))

    def run(end, times):
        callers = [client for client in clients for _ in range(in_flight)]
        return asyncio.gather(*(one_by_one(client, end, times) for client in callers))

    return run


def wait_for_line():
    sys.stdin.readline()


async def measure(place, name, warm_up, window):
    if name == "w6":
        return await idle(place)
    run = await workload(place, name)
    await run(CLOCK() + warm_up, [])
    say("ready")
    wait_for_line()
    before, start, times = usage(), CLOCK(), []
    await run(start + window, times)
    done(len(times), CLOCK() - start, before, sorted(times))


async def idle(place):
    clients = [await first_call(place) for _ in range(8)]
    await asyncio.sleep(0.3)
    say("ready")
    wait_for_line()
    before, start = usage(), CLOCK()
    clients += [await first_call(place) for _ in range(IDLE)]
    seconds = CLOCK() - start
    await asyncio.sleep(0.3)
    done(IDLE, seconds, before, [])


def done(calls, seconds, before, times):
    def quantile(share):
        return times[min(int(len(times) * share), len(times) - 1)] * 1e6 if times else None

    say({
        "done": {
            "calls": calls,
            "seconds": seconds,
            "p50": quantile(0.5),
            "p99": quantile(0.99),
            "client": {key: value - before[key] for key, value in usage().items()},
        }
    })
    wait_for_line()


def main(role, place, *arguments):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if role == "server":
        work, cpu = serve(place), arguments
    else:
        name, warm_up, window, *cpu = arguments
        work = measure(place, name, int(warm_up) / 1000, int(window) / 1000)
    if cpu:
        os.sched_setaffinity(0, {int(cpu[0])})
    asyncio.run(work)


main(*sys.argv[1:])
