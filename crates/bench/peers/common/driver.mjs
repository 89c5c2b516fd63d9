// What the drivers in JavaScript share: the protocol of crates/bench/peers/README.md. A driver exports nothing; it calls
// `drive` with what its job system does.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** The payload of every job: 256 bytes of JSON. */
export const payload = (() => {
  const start = '{"file":"holiday/2026/cat.mp4","to":"720p","captions":["en","de","fr"],"note":"';
  return JSON.parse(`${start}${'x'.repeat(256 - start.length - 2)}"}`);
})();

// What libraries have to say is not for the harness.
for (const level of ['log', 'info', 'debug', 'warn']) console[level] = console.error;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** The versions of installed packages, as "bullmq 6.7.0, ioredis 6.0.0, Node.js 20.1.0". */
export function versions(packages) {
  const names = Object.keys(packages).filter((name) => name !== 'node');
  return [...names.map((name) => `${name} ${packages[name]}`), `Node.js ${process.versions.node}`].join(', ');
}

/**
 * Does what the command line asks for. `peer` has
 * - `version`: a text;
 * - `prepare(scenario)`;
 * - `caller(scenario)`: connects one that submits: `submit(jobs)`, `ask()`, `close()`. Callers may share a connection;
 * - `noBatches`: why there is no submitting of many at once, if so;
 * - `work(scenario, done)`: starts a worker that calls `done(jobs)` once the job system has taken note of them.
 */
export async function drive(peer) {
  const [verb, text] = process.argv.slice(2);
  if (verb === 'version') {
    tell({ version: peer.version });
    return;
  }
  const scenario = { callers: 1, batch: 1, ack: 1, ...JSON.parse(text) };
  const verbs = { prepare: (peer) => peer.prepare(scenario), submit, work, ask };
  if (!verbs[verb]) throw new Error(`there is no verb ${verb}`);
  await verbs[verb](peer, scenario);
  // Client libraries keep connections and timers.
  process.exit(0);
}

async function submit(peer, scenario) {
  if (scenario.batch > 1 && peer.noBatches) {
    tell({ unsupported: peer.noBatches });
    return;
  }
  const callers = [];
  for (let nth = 0; nth < scenario.callers; nth += 1) callers.push(await peer.caller(scenario));
  const tally = { begun: 0, wanted: scenario.jobs ?? Infinity, acknowledged: 0, warm: !scenario.seconds, took: [] };
  const started = performance.now();
  const all = Promise.all(callers.map((caller) => submitting(caller, scenario.batch, tally)));
  let counted;
  if (scenario.seconds) {
    const window = async () => {
      await sleep(scenario.seconds * 200);
      tally.warm = true;
      const [before, from] = [tally.acknowledged, performance.now()];
      await sleep(scenario.seconds * 1000);
      counted = { jobs: tally.acknowledged - before, seconds: (performance.now() - from) / 1000 };
    };
    await Promise.race([window(), all]);
    if (!counted) throw new Error('the callers ended by themselves');
    tally.wanted = 0;
  }
  await all;
  counted ??= { jobs: tally.acknowledged, seconds: (performance.now() - started) / 1000 };
  tell({ ...counted, ...quantiles(tally.took) });
}

async function submitting(caller, batch, tally) {
  while (tally.begun < tally.wanted) {
    const jobs = Math.min(batch, tally.wanted - tally.begun);
    tally.begun += jobs;
    const { warm } = tally;
    const before = performance.now();
    await caller.submit(jobs);
    if (warm) tally.took.push(performance.now() - before);
    tally.acknowledged += jobs;
  }
}

async function ask(peer, scenario) {
  const caller = await peer.caller(scenario);
  const took = [];
  // A tenth more, which nobody counts, until the worker is there and caches are warm.
  const warmUp = Math.ceil(scenario.jobs / 10);
  const until = performance.now() + (scenario.seconds ?? Infinity) * 1000;
  for (let nth = 0; nth < warmUp + scenario.jobs; nth += 1) {
    if (nth > warmUp && performance.now() > until) break;
    await sleep(2);
    const before = performance.now();
    await caller.ask();
    if (nth >= warmUp) took.push(performance.now() - before);
  }
  tell({ jobs: took.length, ...quantiles(took) });
}

async function work(peer, scenario) {
  let [jobs, said] = [0, 0];
  const say = () => {
    if (said !== jobs) tell({ done: jobs });
    said = jobs;
  };
  const done = (more = 1) => {
    const before = jobs;
    jobs += more;
    if (before < scenario.jobs && jobs >= scenario.jobs) say();
  };
  // A worker never outlives who started it.
  const over = new Promise((resolve) => process.stdin.on('end', resolve).on('close', resolve).resume());
  tell({ begins: true });
  await peer.work(scenario, done);
  setInterval(say, 20);
  await over;
}

function quantiles(took) {
  took.sort((one, other) => one - other);
  const at = (share) => took[Math.min(Math.floor((took.length * share) / 100), took.length - 1)] ?? 0;
  return { p50_ms: at(50), p99_ms: at(99) };
}
