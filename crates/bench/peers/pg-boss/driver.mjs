// pg-boss: workers are woken by LISTEN/NOTIFY, fetch in batches, and go on fetching while there are full ones. A submitter learns of a result
// by asking for the job again and again.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';

import { drive, payload, versions } from '../common/driver.mjs';

const QUEUE = 'bench';
// How many worker loops, and how many jobs each of them fetches.
const WORKERS = 4;
const BATCH = 100;
// Between two questions whether a job is done, in ms.
const POLL = 5;

let shared;
function boss(scenario, options = {}) {
  shared ??= (async () => {
    const started = new PgBoss({ connectionString: scenario.url, max: 25, useListenNotify: true, ...options });
    started.on('error', (error) => {
      throw error;
    });
    return started.start();
  })();
  return shared;
}

await drive({
  version: versions(JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies),

  async prepare(scenario) {
    const it = await boss(scenario);
    await it.createQueue(QUEUE, { notify: true });
    await it.stop({ graceful: false });
  },

  async caller(scenario) {
    const it = await boss(scenario);
    return {
      async submit(many) {
        if (scenario.batch === 1) await it.send(QUEUE, payload);
        else await it.insert(QUEUE, Array.from({ length: many }, () => ({ data: payload })));
      },
      async ask() {
        const id = await it.send(QUEUE, payload);
        for (;;) {
          const [job] = await it.findJobs(QUEUE, { id });
          if (job?.state === 'completed') return;
          await sleep(POLL);
        }
      },
    };
  },

  async work(scenario, done) {
    const it = await boss(scenario);
    const options = { batchSize: BATCH, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
    const open = new Set();
    const settle = (batch) => {
      if (open.delete(batch)) done(batch.jobs);
    };
    // pg-boss completes the jobs of a handler after it has returned, and tells nobody. So they are done when the same loop
    // comes with the next ones, or, where none come, when the last of them is seen to be.
    for (let nth = 0; nth < WORKERS; nth += 1) {
      let before;
      await it.work(QUEUE, options, async (jobs) => {
        settle(before);
        before = { jobs: jobs.length, last: jobs.at(-1).id, age: 0 };
        open.add(before);
      });
    }
    const look = async () => {
      for (;;) {
        await sleep(25);
        for (const batch of open) {
          batch.age += 1;
          if (batch.age > 2 && (await it.findJobs(QUEUE, { id: batch.last }))[0]?.state === 'completed') settle(batch);
        }
      }
    };
    look();
  },
});
