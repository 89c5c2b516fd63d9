"""Celery: acks_late, so that a job whose worker dies is worked again, as every other peer does it; two processes, 64 messages prefetched;
publishing waits for RabbitMQ's confirm. Results come by the rpc backend, to those who ask for them."""

import json
import os
import sys
import threading
import time

from celery import Celery, __version__
from celery.worker.request import Request

PAYLOAD_START = '{"file":"holiday/2026/cat.mp4","to":"720p","captions":["en","de","fr"],"note":"'
PAYLOAD = json.loads(PAYLOAD_START + "x" * (256 - len(PAYLOAD_START) - 2) + '"}')


# A worker greets on stdout; that goes to stderr, and what is told has a stream of its own.
told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def tell(line):
    told.write(json.dumps(line) + "\n")
    told.flush()


class Counter:
    """How many jobs are done: counted by the worker's main process, after it has acknowledged them."""

    def __init__(self):
        self.jobs = self.said = 0
        self.wanted = None
        self.lock = threading.Lock()

    def add(self):
        with self.lock:
            self.jobs += 1
            if self.jobs == self.wanted:
                self._say()

    def say_now_and_then(self):
        while True:
            time.sleep(0.02)
            with self.lock:
                self._say()

    def _say(self):
        if self.said != self.jobs:
            tell({"done": self.jobs})
        self.said = self.jobs


counter = Counter()


class CountedRequest(Request):
    def acknowledge(self):
        if not self.acknowledged:
            super().acknowledge()
            counter.add()


def connect(scenario):
    app = Celery("bench", broker=scenario["url"], backend="rpc://")
    app.conf.update(
        task_acks_late=True,
        worker_prefetch_multiplier=32,
        worker_concurrency=2,
        worker_send_task_events=False,
        broker_pool_limit=scenario["callers"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": True},
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
    )

    @app.task(name="bench", Request=CountedRequest)
    def bench(payload):
        return None

    return app, bench


def quantiles(took):
    took.sort()

    def at(share):
        return took[min(len(took) * share // 100, len(took) - 1)] * 1000 if took else 0

    return {"p50_ms": at(50), "p99_ms": at(99)}


def prepare(scenario):
    """The queue is there before the first message: RabbitMQ would confirm what it drops."""
    app, _ = connect(scenario)
    with app.connection_for_write() as connection:
        app.amqp.queues["celery"](connection.default_channel).declare()


def submit(scenario):
    if scenario["batch"] > 1:
        tell({"unsupported": "Celery has no call that submits many jobs"})
        return
    _, bench = connect(scenario)
    lock = threading.Lock()
    state = {"begun": 0, "wanted": scenario.get("jobs") or float("inf"), "warm": not scenario.get("seconds")}
    counts = [0] * scenario["callers"]
    took, faults = [], []

    def call(nth):
        try:
            while True:
                with lock:
                    if state["begun"] >= state["wanted"]:
                        return
                    state["begun"] += 1
                warm, before = state["warm"], time.perf_counter()
                bench.apply_async((PAYLOAD,), ignore_result=True)
                if warm:
                    took.append(time.perf_counter() - before)
                counts[nth] += 1
        except Exception as fault:  # whatever it is, the figure is none
            faults.append(fault)

    callers = [threading.Thread(target=call, args=(nth,), daemon=True) for nth in range(scenario["callers"])]
    started = time.perf_counter()
    for caller in callers:
        caller.start()
    if scenario.get("seconds"):
        time.sleep(scenario["seconds"] / 5)
        state["warm"] = True
        before, started = sum(counts), time.perf_counter()
        time.sleep(scenario["seconds"])
        jobs, seconds = sum(counts) - before, time.perf_counter() - started
        state["wanted"] = 0
        for caller in callers:
            caller.join()
    else:
        for caller in callers:
            caller.join()
        jobs, seconds = sum(counts), time.perf_counter() - started
    if faults:
        raise faults[0]
    tell({"jobs": jobs, "seconds": seconds, **quantiles(took)})


def ask(scenario):
    _, bench = connect(scenario)
    took = []
    warm_up = -(-scenario["jobs"] // 10)
    until = time.perf_counter() + scenario.get("seconds", float("inf"))
    for nth in range(warm_up + scenario["jobs"]):
        if nth > warm_up and time.perf_counter() > until:
            break
        time.sleep(0.002)
        before = time.perf_counter()
        bench.apply_async((PAYLOAD,)).get(timeout=60)
        if nth >= warm_up:
            took.append(time.perf_counter() - before)
    tell({"jobs": len(took), **quantiles(took)})


def work(scenario):
    app, _ = connect(scenario)
    counter.wanted = scenario.get("jobs")

    def end_with_the_input():
        # Not by sys.stdin, whose lock the pool's processes would inherit, held for ever.
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=end_with_the_input, daemon=True).start()
    threading.Thread(target=counter.say_now_and_then, daemon=True).start()
    tell({"begins": True})
    app.worker_main(["worker", "--loglevel=error", "--without-gossip", "--without-mingle", "--without-heartbeat"])


def main():
    verb = sys.argv[1]
    if verb == "version":
        tell({"version": f"Celery {__version__}, Python {sys.version.split()[0]}"})
        return
    scenario = {"callers": 1, "batch": 1, **json.loads(sys.argv[2])}
    {"prepare": prepare, "submit": submit, "ask": ask, "work": work}[verb](scenario)
    # The pools of connections have threads of their own.
    os._exit(0)


main()
