// npm `standardwebhooks`: takes webhooks, verifies each with a secret, and tells what comes of it as a line.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Webhook } = createRequire(process.env.TEST_CLIENTS + "/")("standardwebhooks");
const webhook = new Webhook(process.argv[2]);
const tell = (event) => console.log(JSON.stringify(event));

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const [path, id] = [request.url, request.headers["webhook-id"]];
  try {
    tell({ event: "verified", path, id, data: webhook.verify(body, request.headers) });
    response.writeHead(204).end();
  } catch (error) {
    tell({ event: "refused", path, id, why: error.message });
    response.writeHead(401).end();
  }
});
server.listen(0, "127.0.0.1", () => tell({ event: "listening", port: server.address().port }));
