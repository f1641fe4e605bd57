// The address after `#/`: which page it names, and the filters that stand in it.

import { useState } from "./preact.js";

/// What the address names: {parts, query}; `parts` is null where it cannot be read, or would lead
/// the requests of a page to another row of the API.
export function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: partsOf(path), query: new URLSearchParams(query ?? "") };
}

function partsOf(path) {
  try {
    const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
    return parts.every((part) => part !== "." && part !== "..") ? parts : null;
  } catch {
    return null;
  }
}

/// Whether these are a page and the id of one row.
export const isId = ([, id, ...more]) => /^[1-9][0-9]*$/.test(id) && !more.length;

/// Whether these are a page, a platform and the id of a meeting there.
export const isMeeting = ([, where, native, ...more]) =>
  /^[a-z_]+$/.test(where) && Boolean(native) && !more.length;

/// A filter that stands in the address, so that going back and reloading keep it.
export function useFilter(name) {
  const [value, set] = useState(place().query.get(name) ?? "");
  const choose = (next) => {
    set(next);
    const [path] = location.hash.split("?");
    const { query } = place();
    if (next) query.set(name, next);
    else query.delete(name);
    history.replaceState(null, "", `${path || "#/"}${query.size ? `?${query}` : ""}`);
  };
  return [value, choose];
}
