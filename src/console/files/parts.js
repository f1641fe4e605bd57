// What every page is made of: buttons, badges, times, fields, notes, and what stands while it loads.

import { html, useEffect, useRef, useState } from "./preact.js";
import { ago, dateTime, platform, status } from "./format.js";
export { say } from "./say.js";

/// Icons of 20 by 20, as the strokes of one path each.
const ICONS = {
  alert: "M10 3.5 17.5 16.5h-15zM10 8.5v3.5M10 14.3v.1",
  audit: "M5 3h10v14H5zM8 7h4M8 10h4M8 13h2",
  bot: "M4 8h12v8H4zM10 8V4.5M7.5 12v.5M12.5 12v.5M1.8 11v2M18.2 11v2",
  check: "m4 10.5 4 4 8-9",
  chevron: "m8 5 5 5-5 5",
  close: "m5 5 10 10M15 5 5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  download: "M10 3v9.5M6 9l4 4 4-4M4 16.5h12",
  edit: "M4 16v-3l9-9 3 3-9 9z",
  home: "m3 9.5 7-6 7 6M5 8.5V16.5h10V8.5",
  key: "M7 16.500a3.5 3.5 0 1 1 0-7 3.5 3.5 0 0 1 0 7zM9.6 10.4 16.5 3.500M13.5 6.500l2.5 2.5",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.4-2.4a3 3 0 0 0-4.3-4.3l-.9.9M11.5 8.5a3 3 0 0 0-4.3 0l-2.4 2.4a3 3 0 0 0 4.3 4.3l.9-.9",
  meeting: "M3 5.5h9.5v9H3zM12.5 9 17 6.5v7L12.5 11",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  moon: "M16 11.5A6.5 6.5 0 1 1 8.5 4a5 5 0 0 0 7.5 7.5z",
  out: "M8 4H4v12h4M8 10h8.5M13 6.5l3.5 3.5-3.5 3.5",
  plus: "M10 4v12M4 10h12",
  refresh: "M16 10a6 6 0 1 1-1.8-4.3M16 3.5v3h-3",
  search: "M9 14.5a5.5 5.5 0 1 1 0-11 5.5 5.5 0 0 1 0 11zM13 13l4 4",
  sound: "M4 8v4M7 5.500v9M10 8v4M13 4v12M16 7.500v5",
  stop: "M5.5 5.5h9v9h-9z",
  sun: "M10 13a3 3 0 1 1 0-6 3 3 0 0 1 0 6zM10 2.5v1.5M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1",
  system: "M3.5 4.5h13v4.5h-13zM3.5 11.5h13V16h-13zM6.5 6.8v.1M6.5 13.7v.1",
  trash: "M4 5.5h12M8 5.5V3.5h4v2M5.5 5.5l.8 11h7.4l.8-11",
  usage: "M4 16.5V10M8 16.5V4M12 16.5V8M16 16.5v-4",
  users: "M7.5 9.5a3 3 0 1 1 0-6 3 3 0 0 1 0 6zM2 16.5c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13 4a2.8 2.8 0 0 1 0 5.3M15 12.3c1.9.6 3 2 3 4.2",
  webhook: "M7 6.5a3 3 0 1 1 4.5 2.6l-3 5M10 6.5l3 5.2a3 3 0 1 1-1.5 4.6M6.5 11.5a3 3 0 1 0 2.3 3h5.7",
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=${ICONS[name]} /></svg>`;

export const Logo = () => html`
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path
    d="M7 13v6M11.5 9.5v13M16 12v8M20.5 8v16M25 13.5v5" /></svg>`;

/// A button; `busy` keeps its size and its focus while something is done.
export function Button({ kind = "", icon, busy, children, label, type = "button", ...rest }) {
  const click = (event) => (busy ? event.preventDefault() : rest.onClick?.(event));
  return html`<button ...${rest} type=${type} class="button ${kind}" aria-busy=${busy ? "true" : null}
    aria-label=${label} title=${label} onClick=${click}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}

export const Badge = ({ tone = "done", children }) => html`
  <span class="badge ${tone}"><i aria-hidden="true"></i>${children}</span>`;

export function Status({ of }) {
  const [name, tone] = status(of);
  return html`<${Badge} tone=${tone}>${name}<//>`;
}

/// Where a meeting is; a link to it, where it has an address.
export const Place = ({ of }) => (of.constructed_meeting_url?.startsWith("https://")
  ? html`<a href=${of.constructed_meeting_url} target="_blank"
    rel="noopener noreferrer">${platform(of.platform)}</a>`
  : platform(of.platform));

/// How much of something is taken, as a bar of one hundred parts.
export const Meter = ({ value, max, label }) => html`
  <svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${label}><rect
    width=${Math.round((100 * value) / Math.max(max, 1))} height="6" /></svg>`;

/// A time: how long ago, and exactly when the pointer rests on it.
export function Time({ at, none = "–", exact }) {
  if (!at) return html`<span class="faint">${none}</span>`;
  const [said, hidden] = exact ? [dateTime(at), ago(at)] : [ago(at), dateTime(at)];
  return html`<time datetime=${at} title=${hidden}>${said}</time>`;
}

/// The head of a page: its title gets the focus when the page is opened.
export function Head({ title, lead, back, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${typeof title === "string" ? title : "Vomeet"} · Vomeet console`;
  }, [title]);
  return html`<header class="head">
    <div>
      ${back && html`<a class="back" href=${back.href}><${Icon} name="chevron" />${back.text}</a>`}
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`}
    </div>
    <div class="actions">${children}</div>
  </header>`;
}

let fields = 0;

/// A labelled field; `as` is input, select or textarea.
export function Field({ label, hint, error, as = "input", children, onInput, set, wide, ...rest }) {
  const [id] = useState(() => `field-${(fields += 1)}`);
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const input = onInput ?? ((event) => set(event.target.value));
  return html`<div class=${wide ? "field wide" : "field"}>
    <label for=${id}>${label}</label>
    <${as} ...${rest} id=${id} onInput=${input} aria-invalid=${error ? "true" : null}
      aria-describedby=${about || null}>${children}<//>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="fault" id="${id}-error">${error}</p>`}
  </div>`;
}

export function Check({ label, hint, checked, set, disabled }) {
  const [id] = useState(() => `field-${(fields += 1)}`);
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${checked} disabled=${disabled}
      aria-describedby=${hint ? `${id}-hint` : null}
      onChange=${(event) => set(event.target.checked)} />
    <div><label for=${id}>${label}</label>${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}</div>
  </div>`;
}

/// A search field that waits until the typing rests; `clean` makes of what is typed what is kept.
export function SearchField({ label, value, set, placeholder, clean = (text) => text }) {
  const [typed, type] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  useEffect(() => {
    if (typed === latest.current) return undefined;
    const timer = setTimeout(() => set(typed), 250);
    return () => clearTimeout(timer);
  }, [typed]);
  return html`<div class="search">
    <${Icon} name="search" />
    <input type="search" aria-label=${label} placeholder=${placeholder ?? label} value=${typed}
      autocomplete="off" spellcheck="false" onInput=${(event) => type((event.target.value = clean(event.target.value)))} />
  </div>`;
}

export function Select({ label, value, set, options }) {
  return html`<select class="select" aria-label=${label} value=${value}
    onChange=${(event) => set(event.target.value)}>
    ${options.map(([key, name]) => html`<option value=${key} selected=${key === value}>${name}</option>`)}
  </select>`;
}

export const Card = ({ title, actions, children, kind = "" }) => html`
  <section class="card ${kind}">
    ${title && html`<div class="card-head"><h2>${title}</h2><div class="actions">${actions}</div></div>`}
    ${children}
  </section>`;

/// What stands where there is nothing yet: what it is for, and the next step.
export const Empty = ({ icon, title, children, action }) => html`
  <div class="empty">
    <span class="empty-icon"><${Icon} name=${icon} /></span>
    <p class="empty-title">${title}</p>
    <p>${children}</p>
    ${action}
  </div>`;

export const Note = ({ tone = "bad", children, again }) => html`
  <div class="note ${tone}" role=${tone === "bad" ? "alert" : null}>
    <${Icon} name=${tone === "good" ? "check" : "alert"} /><div>${children}</div>
    ${again && html`<${Button} kind="small" onClick=${again}>Try again<//>`}
  </div>`;

/// Lines of grey in the size of what will stand there.
export const Skeleton = ({ lines = 3, kind = "" }) => html`
  <div class="skeleton ${kind}" aria-hidden="true">${Array.from({ length: lines }, () => html`<i />`)}</div>`;

/// Name and value, one below the other.
export const Facts = ({ rows }) => html`<dl class="facts">
  ${rows.filter(Boolean).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`)}
</dl>`;

/// Why the newest is not there, and of when that is which stands there instead.
export const Failed = ({ of }) => of.error && html`<${Note} again=${of.reload}>${of.error.message}${
  of.data && html` What is shown is of <${Time} at=${of.at} exact />.`}<//>`;

/// Shows what is loaded, what failed, or what will come.
export function Loaded({ of, lines = 4, children }) {
  if (of.data) return html`<${Failed} of=${of} />${children(of.data)}`;
  if (of.error) return html`<${Failed} of=${of} />`;
  return html`<${Skeleton} lines=${lines} />`;
}

/// Copies a text, calls `copied`, and says so beside the button: also within a dialog.
export function Copy({ text, label = "Copy", kind = "small", copied }) {
  const [state, set] = useState("");
  const copy = async () => {
    const isCopied = await toClipboard(typeof text === "function" ? text() : text);
    set(isCopied ? "done" : "failed");
    if (!isCopied) return;
    copied?.();
    setTimeout(() => set(""), 2000);
  };
  const isDone = state === "done";
  return html`<${Button} kind=${kind} icon=${isDone ? "check" : "copy"} onClick=${copy}>
      ${isDone ? "Copied" : label}<//>
    <span role="status" class="unseen">${isDone && "Copied"}</span>
    ${state === "failed" && html`<span class="fault" role="alert">The browser does not let this page
      copy. Select the text and copy it by hand.</span>`}`;
}

/// Whether a text is in the clipboard now.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS, and not on this machine, browsers have the old way alone.
    return byCommand(text);
  }
}

function byCommand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  const focused = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}

/// What runs when a button is pressed: busy meanwhile, and with the error that it ended with.
export function useAction(run) {
  const [state, set] = useState({ busy: false, error: null });
  const act = async (...given) => {
    set({ busy: true, error: null });
    try {
      const outcome = await run(...given);
      set({ busy: false, error: null });
      return outcome;
    } catch (error) {
      set({ busy: false, error });
      return undefined;
    }
  };
  return { ...state, act };
}
