// Follows jobs over a WebSocket, and comes back after each loss with the positions that it has.

// Tells every event of `subscriptions`, `[{ sid, job }]`; over once the server has said of each that it has ended. It
// grants one event more for each that has come.
export function follow(WebSocket, url, subscriptions, tell) {
  return new Promise((over) => {
    const open = new Map(subscriptions.map((subscription) => [subscription.sid, subscription]));
    const connect = () => {
      const socket = new WebSocket(url, "ackd.v1");
      const send = (frame) => socket.send(JSON.stringify(frame));
      socket.addEventListener("open", () => {
        for (const subscription of open.values()) send({ op: "subscribe", credit: 2, ...subscription });
      });
      socket.addEventListener("message", (message) => {
        const frame = JSON.parse(message.data);
        if (frame.op === "event") {
          open.get(frame.sid).after = frame.id;
          tell({ event: frame.event, id: frame.id, data: frame.job });
          send({ op: "credit", sid: frame.sid, n: 1 });
        } else if (frame.op === "ended") {
          open.delete(frame.sid);
          if (open.size === 0) socket.close();
        } else if (frame.op !== "caught_up" && frame.op !== "lagging") {
          tell({ event: "broken", why: frame });
        }
      });
      // Whether the server went or was not there: it is tried again.
      socket.addEventListener("close", () => (open.size === 0 ? over() : setTimeout(connect, 500)));
    };
    connect();
  });
}
