// BullMQ: producers share one queue object, as its manual has it; the worker is a process of its own.

import { Queue, QueueEvents, Worker } from 'bullmq';
import { readFileSync } from 'node:fs';

import { drive, payload, versions } from '../common/driver.mjs';

const NAME = 'bench';
const connection = (scenario) => {
  const { hostname: host, port } = new URL(scenario.url);
  // A worker's connection waits for its server for as long as it takes.
  return { host, port: Number(port), maxRetriesPerRequest: null };
};
// What is done is of no more use here; BullMQ's manual says to limit what is kept.
const options = { removeOnComplete: 1000, removeOnFail: 5000 };

let shared;
function queue(scenario) {
  shared ??= new Queue(NAME, { connection: connection(scenario), defaultJobOptions: options });
  return shared;
}

await drive({
  version: versions(JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies),

  async prepare() {
    // A queue needs no creation.
  },

  async caller(scenario) {
    const jobs = queue(scenario);
    await jobs.waitUntilReady();
    let events;
    return {
      async submit(many) {
        if (scenario.batch === 1) await jobs.add(NAME, payload);
        else await jobs.addBulk(Array.from({ length: many }, () => ({ name: NAME, data: payload })));
      },
      async ask() {
        if (!events) {
          events = new QueueEvents(NAME, { connection: connection(scenario) });
          await events.waitUntilReady();
        }
        const job = await jobs.add(NAME, payload);
        await job.waitUntilFinished(events);
      },
    };
  },

  async work(scenario, done) {
    const worker = new Worker(NAME, async () => null, { connection: connection(scenario), concurrency: 100 });
    worker.on('completed', () => done());
    worker.on('error', (error) => {
      throw error;
    });
  },
});
