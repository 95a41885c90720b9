// A stream of server-sent events that is opened again after any end. A browser does so by itself after a
// broken connection, but not after an error such as 503, when the server starts or has too many streams.

const FIRST_WAIT = 1000; // milliseconds
const MAX_WAIT = 60000;

export function openStream(address, listeners) {
  let source = null;
  let timer = null;
  let wait = FIRST_WAIT;

  function open() {
    source = new EventSource(address);
    for (const [kind, listener] of Object.entries(listeners)) source.addEventListener(kind, listener);
    source.addEventListener("open", () => {
      wait = FIRST_WAIT;
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      // Not all pages at the same moment, after a restart.
      timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
      wait = Math.min(2 * wait, MAX_WAIT);
    });
  }

  open();
  return {
    close() {
      clearTimeout(timer);
      source.close();
    },
  };
}
