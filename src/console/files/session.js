// Who is signed in. The key is in the memory of this page alone, unless "remember in this tab" was
// chosen: then it is in sessionStorage too, which a reload, a duplicate of the tab and a tab that is
// opened again keep.

const PLACE = "vomeet.session";

let current = null;
const watchers = new Set();

/// What is signed in: {kind: "admin" | "user", key, name, isOfOneMeeting, isReader}; null while nobody
/// is. `isReader` says that the token may change nothing.
export const session = () => current;

/// Calls `watcher(session, notice)` after each change; gives the function that ends it.
export function onSession(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/// The id of a meeting as it is sent: a token that is limited to one meeting names none by its id.
export const sentId = (id) => (current?.isOfOneMeeting ? null : id);

/// `owner` is {kind, name, isOfOneMeeting, isReader}.
export function begin(owner, key, isRemembered) {
  current = { ...owner, key, isRemembered };
  store(isRemembered ? current : null);
  publish();
}

/// Another key in the place of the present one, after a rotation.
export function replaceKey(key) {
  if (current) begin(current, key, current.isRemembered);
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
      current = { ...kept, isRemembered: true };
    }
  } catch {
    current = null;
  }
  return current;
}

/// Redeems the link of `vomeet open`, if the page was opened by one: a session in the memory of this
/// page. Gives the sentence of the refusal, if there is one. The link leaves the address at once.
export async function redeemLink() {
  const link = /^#open=([0-9A-Za-z]{40})$/.exec(location.hash)?.[1];
  if (!link) return "";
  history.replaceState(null, "", "#/");
  const headers = { "Content-Type": "application/json" };
  try {
    const request = { method: "POST", headers, body: JSON.stringify({ link }) };
    const response = await fetch("sessions", request);
    const answer = await response.json();
    if (!response.ok) return String(answer.detail);
    const owner = { kind: "admin", name: "Administrator", isOfOneMeeting: false };
    begin(owner, answer.session, false);
    return "";
  } catch {
    return "The server could not be reached.";
  }
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
