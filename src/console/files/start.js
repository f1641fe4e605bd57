// The frame: who is signed in, the navigation, and the page that the address names.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./preact.js";
import { isId, isMeeting, place } from "./address.js";
import { Button, Head, Icon, Logo, Note, Skeleton } from "./parts.js";
import { onSay } from "./say.js";
import { end, onSession, redeemLink, resume, session } from "./session.js";
import { SignIn } from "./sign-in.js";

/// The pages of each kind of caller: path, name in the navigation, icon and module. A path with
/// more parts than its page has belongs to `detail`.
const PAGES = {
  admin: [
    { path: "overview", name: "Overview", icon: "home", load: () => import("./overview.js") },
    {
      path: "users", name: "Users", icon: "users", load: () => import("./users.js"),
      detail: () => import("./user.js"), isDetail: isId,
    },
    { path: "keys", name: "Keys", icon: "key", load: () => import("./keys.js") },
    {
      path: "meetings", name: "Meetings", icon: "meeting", load: () => import("./meetings.js"),
      detail: () => import("./meeting.js"), isDetail: isId,
    },
    { path: "usage", name: "Usage", icon: "usage", load: () => import("./usage.js") },
    { path: "audit", name: "Audit log", icon: "audit", load: () => import("./audit.js") },
    { path: "system", name: "System", icon: "system", load: () => import("./system.js") },
  ],
  user: [
    {
      path: "meetings", name: "Meetings", icon: "meeting", load: () => import("./my-meetings.js"),
      detail: () => import("./transcript.js"), isDetail: isMeeting,
    },
    { path: "search", name: "Search", icon: "search", load: () => import("./search.js") },
    {
      path: "transcription", name: "Transcription", icon: "sound", load: () => import("./my-transcription.js"),
    },
    { path: "webhooks", name: "Webhooks", icon: "webhook", load: () => import("./webhooks.js") },
    { path: "keys", name: "Keys", icon: "key", load: () => import("./my-keys.js") },
    { path: "usage", name: "Usage", icon: "usage", load: () => import("./usage.js") },
  ],
};

function App({ refused }) {
  const [who, setWho] = useState(session);
  const [notice, setNotice] = useState("");
  useEffect(() => onSession((next, why) => {
    setWho(next);
    setNotice(why);
    if (!next) history.replaceState(null, "", "#/");
  }), []);
  return html`
    ${who ? html`<${Frame} key=${who.kind} who=${who} />` : html`<${SignIn} notice=${notice} refused=${refused} />`}
    <${Said} />`;
}

function Frame({ who }) {
  const { kind } = who;
  const pages = PAGES[kind];
  const [at, go] = useState(() => ({ ...place(), visit: 0 }));
  const [isOpen, open] = useState(false);
  useEffect(() => {
    const moved = () => {
      go(({ visit }) => ({ ...place(), visit: visit + 1 }));
      open(false);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const page = pages.find((one) => one.path === at.parts?.[0]) ?? pages[0];
  const skip = (event) => {
    event.preventDefault();
    document.querySelector("main h1")?.focus();
  };
  return html`<div class=${isOpen ? "frame is-open" : "frame"}
    onKeyDown=${(event) => event.key === "Escape" && open(false)}>
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top">
      <${Button} kind="quiet square menu" icon="menu" label="Menu" aria-expanded=${isOpen} aria-controls="nav"
        onClick=${() => open(!isOpen)} />
      <a class="brand" href="#/"><${Logo} /><span>Vomeet</span></a>
      <div class="actions">
        <${Theme} />
        <${Button} kind="quiet" icon="out" onClick=${() => end()}>Sign out<//>
      </div>
    </header>
    <nav id="nav" aria-label="Pages">
      <p class="nav-title"><strong>${who.name ?? "Signed in"}</strong> at ${location.host}</p>
      ${pages.map(({ path, name, icon }) => html`<a href="#/${path}"
        aria-current=${path === page.path ? "page" : null}><${Icon} name=${icon} />${name}</a>`)}
      <p class="nav-foot"><a href="../docs" target="_blank" rel="noopener">API documentation</a></p>
    </nav>
    <main id="main"><${Page} page=${page} at=${at} kind=${kind} /></main>
  </div>`;
}

/// The page of an address. The one before stays until the next one's module is there.
function Page({ page, at, kind }) {
  const isDetail = Boolean(page.detail) && at.parts?.length > 1;
  const load = isDetail ? page.detail : page.load;
  const isNowhere = !at.parts || (isDetail && !page.isDetail(at.parts));
  const [shown, show] = useState(null);
  const [error, setError] = useState(null);
  const isFirst = useRef(true);
  useEffect(() => {
    let isWanted = true;
    setError(null);
    if (isNowhere) show({ View: Nowhere, at, kind });
    else load().then(
      (module) => isWanted && show({ View: module.default, at, kind }),
      () => isWanted && setError("The page could not be loaded. Is the server running?"),
    );
    return () => (isWanted = false);
  }, [at.visit]);
  useEffect(() => {
    if (!shown) return;
    document.getElementById("main").dataset.shown = (shown.at.parts ?? []).join("/");
    // Whoever comes by the keyboard or listens is taken to the new page.
    if (!isFirst.current) document.querySelector("main h1")?.focus({ preventScroll: true });
    if (!isFirst.current) scrollTo(0, 0);
    isFirst.current = false;
  }, [shown?.at.visit]);
  if (error) return html`<${Note} again=${() => location.reload()}>${error}<//>`;
  if (!shown) return html`<${Skeleton} lines=${6} />`;
  return html`<${Guarded} key=${shown.at.visit} ...${shown} />`;
}

/// A page; where it fails, a sentence stands there, and everything around it goes on.
function Guarded({ View, at, kind }) {
  const [error] = useErrorBoundary();
  if (error) {
    return html`<${Head} title="This page does not work" />
      <${Note} again=${() => location.reload()}>Something went wrong on this page: ${String(error)}<//>`;
  }
  return html`<${View} parts=${at.parts} query=${at.query} kind=${kind} />`;
}

const Nowhere = () => html`<${Head} title="There is no such page" />
  <${Note}>No page has this address. Choose one from the navigation.<//>`;

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
const refused = await redeemLink();
render(html`<${App} refused=${refused} />`, document.getElementById("app"));
