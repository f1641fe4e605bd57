// The frame: who is signed in, the navigation, and the page that the address names.

import { html, render, useEffect, useRef, useState } from "./preact.js";
import { Button, Icon, Logo, Note, Skeleton } from "./parts.js";
import { onSay } from "./say.js";
import { end, onSession, resume, session } from "./session.js";
import { SignIn } from "./sign-in.js";

/// The pages of each kind of caller: path, name in the navigation, icon and module. A path with
/// more parts than its page has belongs to `detail`.
const PAGES = {
  admin: [
    { path: "overview", name: "Overview", icon: "home", load: () => import("./overview.js") },
    {
      path: "users", name: "Users", icon: "users", load: () => import("./users.js"),
      detail: () => import("./user.js"),
    },
    { path: "keys", name: "Keys", icon: "key", load: () => import("./keys.js") },
    {
      path: "meetings", name: "Meetings", icon: "meeting", load: () => import("./meetings.js"),
      detail: () => import("./meeting.js"),
    },
    { path: "usage", name: "Usage", icon: "usage", load: () => import("./usage.js") },
    { path: "audit", name: "Audit log", icon: "audit", load: () => import("./audit.js") },
    { path: "system", name: "System", icon: "system", load: () => import("./system.js") },
  ],
  user: [
    {
      path: "meetings", name: "Meetings", icon: "meeting", load: () => import("./my-meetings.js"),
      detail: () => import("./transcript.js"),
    },
    { path: "search", name: "Search", icon: "search", load: () => import("./search.js") },
    { path: "webhooks", name: "Webhooks", icon: "webhook", load: () => import("./webhooks.js") },
    { path: "keys", name: "Keys", icon: "key", load: () => import("./my-keys.js") },
    { path: "usage", name: "Usage", icon: "usage", load: () => import("./usage.js") },
  ],
};

/// The address after `#/`: {path, parts, query}.
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { parts, query: new URLSearchParams(query ?? "") };
}

function App() {
  const [who, setWho] = useState(session);
  const [notice, setNotice] = useState("");
  useEffect(() => onSession((next, why) => {
    setWho(next);
    setNotice(why);
    if (!next) history.replaceState(null, "", "#/");
  }), []);
  return html`
    ${who ? html`<${Frame} key=${who.kind} kind=${who.kind} />` : html`<${SignIn} notice=${notice} />`}
    <${Said} />`;
}

function Frame({ kind }) {
  const pages = PAGES[kind];
  const [at, go] = useState(place);
  const [isOpen, open] = useState(false);
  useEffect(() => {
    const moved = () => {
      go(place());
      open(false);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const page = pages.find((one) => one.path === at.parts[0]) ?? pages[0];
  const skip = (event) => {
    event.preventDefault();
    document.querySelector("main h1")?.focus();
  };
  return html`<div class=${isOpen ? "frame is-open" : "frame"}
    onKeyDown=${(event) => event.key === "Escape" && open(false)}>
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="bar">
      <${Button} kind="quiet square menu" icon="menu" label="Menu" aria-expanded=${isOpen} aria-controls="nav"
        onClick=${() => open(!isOpen)} />
      <a class="brand" href="#/"><${Logo} /><span>Vomeet</span></a>
      <div class="actions">
        <${Theme} />
        <${Button} kind="quiet" icon="out" onClick=${() => end()}>Sign out<//>
      </div>
    </header>
    <nav id="nav" aria-label="Pages">
      <p class="nav-title">${kind === "admin" ? "Administration" : "My account"}</p>
      ${pages.map(({ path, name, icon }) => html`<a href="#/${path}"
        aria-current=${path === page.path ? "page" : null}><${Icon} name=${icon} />${name}</a>`)}
      <p class="nav-foot"><a href="../docs" target="_blank" rel="noopener">API documentation</a></p>
    </nav>
    <main id="main"><${Page} page=${page} at=${at} kind=${kind} /></main>
  </div>`;
}

/// The page of an address. The one before stays until the next one's module is there.
function Page({ page, at, kind }) {
  const isDetail = Boolean(page.detail) && page.path === at.parts[0] && at.parts.length > 1;
  const load = isDetail ? page.detail : page.load;
  const [shown, show] = useState(null);
  const [error, setError] = useState(null);
  const isFirst = useRef(true);
  const address = `${at.parts.join("/")}?${at.query}`;
  useEffect(() => {
    let isWanted = true;
    setError(null);
    load().then(
      (module) => isWanted && show({ View: module.default, at, address, kind }),
      () => isWanted && setError("The page could not be loaded. Is the server running?"),
    );
    return () => (isWanted = false);
  }, [address]);
  useEffect(() => {
    if (!shown) return;
    // Whoever comes by the keyboard or listens is taken to the new page.
    if (!isFirst.current) document.querySelector("main h1")?.focus({ preventScroll: true });
    if (!isFirst.current) scrollTo(0, 0);
    isFirst.current = false;
  }, [shown?.address]);
  if (error) return html`<${Note} again=${() => location.reload()}>${error}<//>`;
  if (!shown) return html`<${Skeleton} lines=${6} />`;
  return html`<${shown.View} key=${shown.address} parts=${shown.at.parts} query=${shown.at.query} kind=${kind} />`;
}

function Theme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const [theme, set] = useState(document.documentElement.dataset.theme ?? system);
  const other = theme === "dark" ? "light" : "dark";
  const turn = () => {
    document.documentElement.dataset.theme = other;
    set(other);
    try {
      localStorage.setItem("vomeet.theme", other);
    } catch {
      // It holds for this page, then.
    }
  };
  return html`<${Button} kind="quiet square" icon=${theme === "dark" ? "sun" : "moon"}
    label="Change to the ${other} theme" onClick=${turn} />`;
}

/// What was done, said in a corner and to screen readers.
function Said() {
  const [message, set] = useState("");
  useEffect(() => {
    let timer;
    onSay((next) => {
      clearTimeout(timer);
      set(next);
      timer = setTimeout(() => set(""), 4000);
    });
  }, []);
  return html`<div class="said" role="status" aria-live="polite">${message && html`<p>${message}</p>`}</div>`;
}

resume();
render(html`<${App} />`, document.getElementById("app"));
