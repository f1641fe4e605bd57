// Calls of the API, with the key of the session, and the hooks by which pages load.

import { useCallback, useEffect, useRef, useState } from "./preact.js";
import { say } from "./say.js";
import { end, session } from "./session.js";

/// The address of the API: the folder above the console, also behind a proxy that adds a path.
export const BASE = new URL("..", document.baseURI);

const HEADER = { admin: "X-Admin-API-Key", user: "X-API-Key" };

/// Codes by which the server says that the key itself is not accepted (any more).
const KEY_IS_REFUSED = new Set([
  "missing", "mistyped", "unknown", "expired", "unused", "revoked", "disabled", "user_disabled",
]);

/// A response that is no success; `message` is a sentence to show, `fields` what is wrong where.
export class Refused extends Error {
  constructor(status, message, code = "", fields = {}) {
    super(message);
    Object.assign(this, { status, code, fields });
  }
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body, query) => call("PATCH", path, { body, query });
export const remove = (path, query) => call("DELETE", path, { query });

/// Calls the API and gives the JSON of the response; null where it has none.
export async function call(method, path, options = {}) {
  return (await answer(method, path, options)).data;
}

/// The same with the status, and with how many tokens the call changed.
export async function answer(method, path, options = {}) {
  const response = await send(method, path, options);
  const text = await response.text();
  return {
    status: response.status,
    tokens: Number(response.headers.get("X-Tokens-Affected") ?? 0),
    data: text ? JSON.parse(text) : null,
  };
}

/// The number that was typed; an empty field is no zero.
export function typedNumber(text, field) {
  if (text.trim()) return Number(text);
  throw new Refused(0, "A number is missing.", "invalid", { [field]: "Type a number." });
}

/// The text of a response that is no JSON.
export async function text(path, query) {
  const response = await send("GET", path, { query });
  return response.text();
}

/// Saves a response as a file.
export async function download(path, query, name) {
  const response = await send("GET", path, { query });
  save(await response.blob(), name);
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/// Asks with a key that nobody is signed in with yet; gives whose it is, as [`begin`] takes it.
export async function tryKey(kind, key) {
  const path = kind === "admin" ? "admin/keys" : "user";
  const data = await call("GET", path, { key: { kind, key } });
  if (kind === "admin") return { kind, name: "Administrator" };
  const { meeting, read_only: isReader } = data.token.scope;
  return { kind, name: data.email, isOfOneMeeting: Boolean(meeting), isReader };
}

async function send(method, path, { query, body, signal, key = session() } = {}) {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = {};
  if (key) headers[HEADER[key.kind]] = key.key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const payload = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, { method, headers, body: payload, signal, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server cannot be reached. Is it running?");
  }
  if (response.ok) return response;
  throw await refused(response, key);
}

async function refused(response, key) {
  const body = await response.json().catch(() => ({}));
  if (Array.isArray(body.detail)) return invalid(response.status, body.detail);
  const message = body.reason || body.detail || `The server responds with ${response.status}.`;
  const error = new Refused(response.status, message, body.code);
  const isOwnKey = key && key === session();
  if (isOwnKey && response.status === 403 && KEY_IS_REFUSED.has(body.code)) end(message);
  return error;
}

function invalid(status, faults) {
  const fields = {};
  for (const fault of faults) fields[fault.loc.at(-1)] ??= fault.msg;
  const message = faults.map((fault) => `${fault.loc.slice(1).join(".")}: ${fault.msg}`).join(". ");
  return new Refused(status, message, "invalid", fields);
}

const NOTHING = { data: null, at: null, error: null, isLoading: true, of: null };

/// Loads by `load(signal)` and again whenever `inputs` change. What was loaded before, at the time
/// `at`, stays until the new is there, so that nothing jumps; `isOther` says that it is of other
/// inputs. Where the new is refused, what is of other inputs goes.
export function useLoad(load, inputs) {
  const [state, set] = useState(NOTHING);
  const running = useRef(null);
  const run = useCallback(async () => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    set((old) => ({ ...old, isLoading: true }));
    try {
      const data = await load(abort.signal);
      const at = new Date().toISOString();
      if (!abort.signal.aborted) set({ data, at, error: null, isLoading: false, of: run });
    } catch (error) {
      const kept = (old) => (old.of === run ? old : NOTHING);
      if (!abort.signal.aborted) set((old) => ({ ...kept(old), error, isLoading: false, of: run }));
    }
  }, inputs);
  useEffect(() => {
    run();
    return () => running.current?.abort();
  }, [run]);
  return { ...state, isOther: state.of !== run, reload: run };
}

/// Calls `again` every so many seconds while the page is looked at.
export function useEvery(seconds, again) {
  const latest = useRef(again);
  latest.current = again;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) latest.current();
    }, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}

/// Pages that are looked through at once while none has a row.
const PAGES_AT_ONCE = 5;

/// The next page that has rows. The server looks through so many rows at a time: a page may be
/// empty although there are more.
async function filled(load, cursor, signal) {
  let page = await load(cursor, signal);
  for (let count = 1; !page.rows.length && page.next && count < PAGES_AT_ONCE; count += 1) {
    if (signal?.aborted) break;
    page = await load(page.next, signal);
  }
  return page;
}

/// Lists that come page by page: `load(cursor, signal)` gives {rows, next}; `more` appends the next
/// page. A list that was made longer is `isHeld`: it would become short again if it were refreshed.
export function usePages(load, inputs) {
  const first = useLoad((signal) => filled(load, null, signal), inputs);
  const [rest, setRest] = useState({ of: null, rows: [], next: null });
  const isHeld = Boolean(rest.of) && rest.of === first.data;
  const rows = first.data && [...first.data.rows, ...(isHeld ? rest.rows : [])];
  const next = isHeld ? rest.next : first.data?.next;
  const [isLoadingMore, setLoadingMore] = useState(false);
  const more = async () => {
    setLoadingMore(true);
    try {
      const page = await filled(load, next);
      const before = isHeld ? rest.rows : [];
      setRest({ of: first.data, rows: [...before, ...page.rows], next: page.next });
    } catch (error) {
      say(error.message);
    } finally {
      setLoadingMore(false);
    }
  };
  const refresh = () => (isHeld ? undefined : first.reload());
  return { ...first, rows, refresh, isHeld, more: next ? more : null, isLoadingMore };
}
