// Restate: a service with one handler, called one way to submit, and as a request to ask. The URL names, beside the ingress, the port of
// the admin API and the one on which the service listens.

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

import { drive, payload, versions } from '../common/driver.mjs';

// Read when the library is loaded: a line for each call is not what is measured.
process.env.RESTATE_LOGGING = 'ERROR';
const restate = await import('@restatedev/restate-sdk');

const body = JSON.stringify(payload);
// What a worker counts with. Without one the service holds every call that it gets, so that a backlog grows as it does while workers are
// busy; with no service at all Restate would spend its time trying again.
let counted;
const held = new Promise(() => {});

const service = restate.service({
  name: 'bench',
  handlers: { work: async () => (counted ? counted() : held) },
  // What was held is tried again soon once a worker is there, and for ever.
  options: { retryPolicy: { initialInterval: 100, exponentiationFactor: 2, maxInterval: 1000, maxAttempts: 1_000_000 } },
});

function places(scenario) {
  const url = new URL(scenario.url);
  return { ingress: Number(url.port), admin: Number(url.searchParams.get('admin')), port: Number(url.searchParams.get('service')) };
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
function post(port, path, text) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', agent, headers }, (answer) => {
      let said = '';
      answer.setEncoding('utf8').on('data', (part) => {
        said += part;
      });
      answer.on('error', reject).on('end', () => {
        if (answer.statusCode < 300) resolve(said);
        else reject(new Error(`${path}: ${answer.statusCode} ${said}`));
      });
    });
    asked.on('error', reject);
    asked.end(text);
  });
}

const isServed = (port) =>
  new Promise((resolve) => {
    const asked = connect(port, '127.0.0.1');
    asked.on('connect', () => resolve(true)).on('error', () => resolve(false));
    asked.on('connect', () => asked.destroy());
  });
let holding;

await drive({
  version: versions(JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies),
  noBatches: 'Restate has no call that submits many invocations',

  async prepare(scenario) {
    const { admin, port } = places(scenario);
    await restate.serve({ services: [service], port });
    await post(admin, '/deployments', JSON.stringify({ uri: `http://127.0.0.1:${port}` }));
  },

  async caller(scenario) {
    const { ingress, port } = places(scenario);
    holding ??= isServed(port).then((served) => served || restate.serve({ services: [service], port }));
    await holding;
    return {
      submit: () => post(ingress, '/bench/work/send', body),
      ask: () => post(ingress, '/bench/work', body),
    };
  },

  async work(scenario, done) {
    // The server takes note a moment after the handler has returned; it tells the service nothing of it.
    counted = () => done();
    await restate.serve({ services: [service], port: places(scenario).port });
  },
});
