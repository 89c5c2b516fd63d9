// graphile-worker with the preset of its own performance page. It keeps no results: the task tells its submitter by NOTIFY.

import { readFileSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker';
import pg from 'pg';

import { drive, payload, versions } from '../common/driver.mjs';

const TASK = 'bench';
const ANSWERS = 'bench_answers';
// Thousands of jobs a second are not to be logged.
const logger = new Logger(() => () => {});

let shared;
async function utils(scenario) {
  if (!shared) {
    const pool = new pg.Pool({ connectionString: scenario.url, max: 25 });
    shared = { pool, utils: makeWorkerUtils({ pgPool: pool, logger }) };
  }
  return { pool: shared.pool, utils: await shared.utils };
}

await drive({
  version: versions(JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies),

  async prepare(scenario) {
    await runMigrations({ connectionString: scenario.url, logger });
  },

  async caller(scenario) {
    const { utils: worker } = await utils(scenario);
    let listener;
    return {
      async submit(many) {
        if (scenario.batch === 1) await worker.addJob(TASK, payload);
        else await worker.addJobs(Array.from({ length: many }, () => ({ identifier: TASK, payload })));
      },
      async ask() {
        if (!listener) {
          listener = new pg.Client({ connectionString: scenario.url });
          await listener.connect();
          await listener.query(`LISTEN ${ANSWERS}`);
        }
        const answered = new Promise((resolve) => listener.once('notification', resolve));
        await worker.addJob(TASK, { ...payload, answer: true });
        await answered;
      },
    };
  },

  async work(scenario, done) {
    const events = new EventEmitter();
    events.on('job:complete', () => done());
    await run({
      preset: {
        worker: {
          connectionString: scenario.url,
          concurrentJobs: 24,
          maxPoolSize: 25,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
          logger,
        },
      },
      events,
      noHandleSignals: true,
      taskList: {
        [TASK]: async (job, helpers) => {
          if (job.answer) await helpers.query(`NOTIFY ${ANSWERS}`);
        },
      },
    });
  },
});
