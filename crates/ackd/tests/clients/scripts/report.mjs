// What a page is asked to do, and how it tells what it sees.

export const asked = JSON.parse(decodeURIComponent(location.hash.slice(1)));

let reported = Promise.resolve();

// Reports are sent one after another, so that they arrive in order.
export function tell(event) {
  const body = JSON.stringify(event);
  reported = reported.then(() => fetch(`/report/${asked.client}`, { method: "POST", body }));
}

addEventListener("unhandledrejection", (event) => tell({ event: "broken", why: String(event.reason) }));
