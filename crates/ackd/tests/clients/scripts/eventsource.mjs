// npm `eventsource`: tells each event as a line.
import { createRequire } from "node:module";
import { follow } from "./follow.mjs";

const { EventSource } = createRequire(process.env.TEST_CLIENTS + "/")("eventsource");
const { urls, until } = JSON.parse(process.argv[2]);
const tell = (event) => console.log(JSON.stringify(event));

await Promise.all(urls.map((url) => follow(EventSource, url, until, tell)));
tell({ event: "end" });
