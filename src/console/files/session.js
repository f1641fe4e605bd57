// Who is signed in. The key is in the memory of this page alone, unless "remember in this tab" was
// chosen: then it is in sessionStorage, which goes with the tab.

const PLACE = "vomeet.session";

let current = null;
const watchers = new Set();

/// What is signed in: {kind: "admin" | "user", key}; null while nobody is.
export const session = () => current;

/// Calls `watcher(session, notice)` after each change; gives the function that ends it.
export function onSession(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export function begin(kind, key, isRemembered) {
  current = { kind, key, isRemembered };
  store(isRemembered ? current : null);
  publish();
}

/// Another key in the place of the present one, after a rotation.
export function replaceKey(key) {
  if (current) begin(current.kind, key, current.isRemembered);
}

/// Signs out; `notice` says why where it was not asked for.
export function end(notice = "") {
  current = null;
  store(null);
  publish(notice);
}

/// The session with which this page begins, or null. Every way to be signed in without typing a
/// key ends here.
export function resume() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE));
    if (kept?.key && (kept.kind === "admin" || kept.kind === "user")) {
      current = { kind: kept.kind, key: kept.key, isRemembered: true };
    }
  } catch {
    current = null;
  }
  return current;
}

function store(value) {
  try {
    if (value) sessionStorage.setItem(PLACE, JSON.stringify(value));
    else sessionStorage.removeItem(PLACE);
  } catch {
    // Storage is switched off: the key stays in memory.
  }
}

function publish(notice = "") {
  for (const watcher of watchers) watcher(current, notice);
}
