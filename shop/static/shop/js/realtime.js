/* Keeps #order-status true while the page is open.
   The socket only says that something happened; the words come from the server, as the same
   partial that the page was made of. Without sockets the partial is asked for every 15 s. */

const FORBIDDEN = 4403;
const BAD_REQUEST = 4400;
const FIRST_DELAY = 500; // ms
const LONGEST_DELAY = 10_000;
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const POLL_EVERY = 15_000;
const POLL_AFTER = 2; // attempts that failed before polling begins

class LiveOrder {
  constructor(element) {
    this.element = element;
    this.number = element.dataset.order;
    this.last = 0;
    this.failures = 0;
    this.stale = false; // a fetch failed: what is shown may not be true
    this.refreshing = false;
    this.again = false;
    addEventListener("online", () => this.connectNow());
    addEventListener("pageshow", (event) => event.persisted && this.connectNow());
    addEventListener("pagehide", () => this.socket?.close());
    setInterval(() => this.poll(), POLL_EVERY);
    this.connect();
  }

  connect() {
    clearTimeout(this.retry);
    if (!("WebSocket" in window)) {
      this.failures = POLL_AFTER;
      return;
    }
    const query = new URLSearchParams({ order: this.number, last: this.last });
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(`${scheme}//${location.host}/ws/events/?${query}`);
    } catch {
      this.reconnectLater();
      return;
    }
    this.socket = socket;
    socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (this.socket !== socket) return;
      this.stopPinging();
      this.element.dataset.live = "off";
      // Also after 1012: the region is drained, and the front door knows another.
      if (event.code !== FORBIDDEN && event.code !== BAD_REQUEST) this.reconnectLater();
    });
  }

  connectNow() {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    this.connect();
  }

  reconnectLater() {
    this.failures += 1;
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.failures);
    // Jitter, so that a region's shoppers do not all knock at the next one at once.
    const delay = FIRST_DELAY + Math.random() * (most - FIRST_DELAY);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), delay);
  }

  receive(message) {
    clearTimeout(this.silence);
    if (message.type === "welcome") {
      this.failures = 0;
      this.element.dataset.live = message.region;
      this.startPinging();
    } else if (message.type === "event" && message.sequence > this.last) {
      this.last = message.sequence;
      this.refresh();
    }
  }

  startPinging() {
    this.stopPinging();
    this.pinging = setInterval(() => {
      if (this.socket.readyState !== WebSocket.OPEN) return;
      this.socket.send('{"type": "ping"}');
      clearTimeout(this.silence);
      // A connection whose other end vanished never says so.
      this.silence = setTimeout(() => this.drop(), PONG_WITHIN);
    }, PING_EVERY);
  }

  stopPinging() {
    clearInterval(this.pinging);
    clearTimeout(this.silence);
  }

  drop() {
    const socket = this.socket;
    this.socket = null; // its close event may come minutes later
    socket.close();
    this.stopPinging();
    this.element.dataset.live = "off";
    this.reconnectLater();
  }

  poll() {
    const deaf = this.failures >= POLL_AFTER && !document.hidden;
    if (deaf || this.stale) this.refresh();
  }

  /* Several events at once cost one fetch, and one more when some came during it. */
  async refresh() {
    if (this.refreshing) {
      this.again = true;
      return;
    }
    this.refreshing = true;
    do {
      this.again = false;
      try {
        await this.fetchStatus();
        this.stale = false;
      } catch {
        this.stale = true; // what is shown stays; the next event or poll tries again
      }
    } while (this.again);
    this.refreshing = false;
  }

  async fetchStatus() {
    const address = `/orders/${encodeURIComponent(this.number)}/?partial=status`;
    const response = await fetch(address, {
      headers: { "HX-Request": "true" },
      signal: AbortSignal.timeout(8000),
    });
    if (!response.ok || response.redirected) throw new Error(response.status);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("order-status") ?? page.body;
    // Replaced only when it differs: a screen reader reads every replacement.
    if (plain(fresh) !== plain(this.element)) {
      this.element.replaceChildren(...fresh.childNodes);
      window.htmx?.process(this.element);
    }
  }
}

function plain(element) {
  return element.innerHTML.replace(/\s+/g, " ").trim();
}

for (const element of document.querySelectorAll("#order-status[data-order]")) {
  new LiveOrder(element);
}
