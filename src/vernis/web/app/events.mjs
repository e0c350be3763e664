// @ts-check
// What happens on the server. A browser has six connections to it: of all tabs one holds the
// stream and tells the others.

const KINDS = ["decided", "undone", "labelled", "duplicates", "changed", "job", "progress", "catalog", "reset"];

export class Events extends EventTarget {
  constructor() {
    super();
    this.connected = true;
    this.channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("vernis-events") : null;
    if (this.channel) this.channel.onmessage = (message) => this.tell(message.data.kind, message.data.data);
    if (navigator.locks) navigator.locks.request("vernis-events", () => this.hold());
    else this.hold();
  }

  /** Hold the stream until the tab is closed; then another tab takes its place. */
  hold() {
    const source = new EventSource("/api/events");
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.spread(kind, JSON.parse(event.data)));
    }
    source.onopen = () => this.spread("connection", { open: true });
    source.onerror = () => this.spread("connection", { open: false });
    return new Promise(() => {});
  }

  /** @param {string} kind @param {unknown} data */
  spread(kind, data) {
    if (this.channel) this.channel.postMessage({ kind, data });
    this.tell(kind, data);
  }

  /** @param {string} kind @param {any} data */
  tell(kind, data) {
    if (kind === "connection") this.connected = data.open;
    this.dispatchEvent(new CustomEvent(kind, { detail: data }));
  }

  /** Listen to a kind; returns what ends that.
   * @param {string} kind @param {(data: any) => void} run */
  on(kind, run) {
    const listener = (/** @type {any} */ event) => run(event.detail);
    this.addEventListener(kind, listener);
    return () => this.removeEventListener(kind, listener);
  }
}
