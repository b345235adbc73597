"""RunPod's own client, every call of it, against the endpoint at RUNPOD_ENDPOINT_BASE_URL; prints what each call gave, as JSON."""

import asyncio
import json
import sys

import aiohttp
import runpod
from runpod import AsyncioEndpoint

good = json.loads(sys.argv[1])
bad = json.loads(sys.argv[2])
slow = json.loads(sys.argv[3])

runpod.api_key = "key"
endpoint = runpod.Endpoint("ep1")
outcomes = {}


def call(name, work):
    try:
        outcomes[name] = {"value": work()}
    except Exception as error:  # what the client raises is the outcome
        outcomes[name] = {"error": f"{type(error).__name__}: {error}"}


def run_and_wait():
    job = endpoint.run({"input": good})
    return {"output": job.output(timeout=60), "status": job.status()}


def cancel():
    job = endpoint.run(slow)
    first = job.status()
    return {"first": first, "cancelled": job.cancel(timeout=10), "after": job.status()}


call("run_sync", lambda: endpoint.run_sync({"input": good}))
call("run_sync of a bare input", lambda: endpoint.run_sync(good))
call("run_sync that fails", lambda: endpoint.run_sync(bad))
call("run and output", run_and_wait)
call("stream", lambda: list(endpoint.run(good).stream()))
call("cancel", cancel)
call("health", lambda: endpoint.health(timeout=10))
call("purge_queue", lambda: endpoint.purge_queue(timeout=10))


async def asynchronous():
    async with aiohttp.ClientSession() as session:
        remote = AsyncioEndpoint("ep1", session)
        job = await remote.run(good)
        output = await job.output(timeout=60)
        return {"output": output, "status": await job.status()}


call("asyncio: run and output", lambda: asyncio.run(asynchronous()))
print(json.dumps(outcomes))
