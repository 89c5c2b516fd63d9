// Follows a stream of events with an EventSource (WHATWG HTML, section 9.2), in a browser or in Node.

const TERMINAL = ["DONE", "FAILED", "CANCELLED", "EXPIRED"];

// Tells every event of `url`. Over once the server has nothing more (204), or once a job of the type `until` has ended.
export function follow(EventSource, url, until, tell) {
  return new Promise((over) => {
    let last = null;
    let ended = false;
    const open = () => {
      const address = new URL(url);
      if (last !== null) address.searchParams.set("after", last);
      const source = new EventSource(address.href);
      const told = (event) => {
        const data = JSON.parse(event.data);
        last = event.lastEventId;
        ended = TERMINAL.includes(data.status);
        tell({ event: event.type, id: event.lastEventId, data });
        if (ended && until !== null && data.type === until) {
          source.close();
          over();
        }
      };
      for (const name of ["status", "progress", "reset", "message"]) source.addEventListener(name, told);
      source.addEventListener("error", () => {
        // A lost connection it makes anew by itself.
        if (source.readyState !== EventSource.CLOSED) return;
        // An EventSource gives up on anything but 200: on the 204 that says that there is nothing more, and on the 502
        // of a proxy whose server is away. It does not say which.
        if (ended) over();
        else setTimeout(open, 1000);
      });
    };
    open();
  });
}
