// Signing in with an admin key or a user's token.

import { html, useEffect, useState } from "./preact.js";
import { tryKey } from "./api.js";
import { Button, Check, Field, Logo, Note, useAction } from "./parts.js";
import { begin } from "./session.js";

/// How tokens and named admin keys look; the admin key of the settings rarely looks so.
const MADE_HERE = /^[0-9A-Za-z]{40}$/;
/// Codes that say a key is of no such kind, so that the other kind is worth a try.
const NOT_OF_THIS_KIND = new Set(["unknown", "mistyped", "missing"]);
const LAST = "vomeet.kind";

/// The kinds, the likelier one first: each that is wrong is counted as a refused key. Which kind
/// signed in here before says more than how a key looks.
function kindsFor(key) {
  const last = MADE_HERE.test(key) ? lastKind() ?? "user" : "admin";
  return last === "user" ? ["user", "admin"] : ["admin", "user"];
}

function lastKind() {
  try {
    return localStorage.getItem(LAST);
  } catch {
    return null;
  }
}

function keepKind(kind) {
  try {
    localStorage.setItem(LAST, kind);
  } catch {
    // The next time both are tried again.
  }
}

/// Whether the other kind is worth a try. An address that is limited is refused whatever is wrong
/// with its keys, and a right one is not: so the other is tried then too.
const isMaybeTheOther = ({ status, code }) =>
  status === 429 || (status === 403 && (!code || NOT_OF_THIS_KIND.has(code)));

/// Finds out by asking the server what kind of key it is, and whose.
async function ownerOf(key) {
  const [first, second] = kindsFor(key);
  try {
    return await tryKey(first, key);
  } catch (error) {
    if (!isMaybeTheOther(error)) throw error;
    try {
      return await tryKey(second, key);
    } catch (other) {
      // What the likelier kind says of it helps more, unless the other one knows the key.
      throw isMaybeTheOther(other) ? error : other;
    }
  }
}

export function SignIn({ notice, refused }) {
  const [key, setKey] = useState("");
  const [isRemembered, remember] = useState(false);
  const [isShown, show] = useState(false);
  const { busy, error, act } = useAction(async () => {
    const typed = key.trim();
    if (!typed) throw new Error("Type or paste a key first.");
    const owner = await ownerOf(typed);
    keepKind(owner.kind);
    begin(owner, typed, isRemembered);
  });
  useEffect(() => {
    document.title = "Sign in · Vomeet console";
  }, []);
  const submit = (event) => {
    event.preventDefault();
    if (!busy) act();
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit} novalidate>
      <div class="sign-in-head"><${Logo} /><h1>Sign in to Vomeet</h1>
        <p class="lead">With an admin key to look after the server, or with an API token to see your own
          meetings.</p>
      </div>
      ${notice && html`<${Note} tone="warn">You were signed out. ${notice}<//>`}
      ${refused && !notice && html`<${Note} tone="warn">${refused}<//>`}
      <div class="with-button">
        <${Field} label="Key" type=${isShown ? "text" : "password"} value=${key} set=${setKey} autofocus
          autocomplete="off" autocapitalize="off" spellcheck="false" error=${error?.message} />
        <${Button} kind="quiet" aria-pressed=${isShown} onClick=${() => show(!isShown)}>${isShown ? "Hide"
          : "Show"}<//>
      </div>
      <${Check} label="Remember in this tab" checked=${isRemembered} set=${remember}
        hint="Otherwise the key is forgotten when you leave or reload the page." />
      <${Button} type="submit" kind="primary full" busy=${busy}>Sign in<//>
    </form>
    <details class="sign-in-help"><summary>Where do I find a key?</summary>
      <p>Whoever runs the server has its admin key: the setting <code>admin_api_token</code>, or a key from
        <code>vomeet admin-key create NAME</code> at its shell. Without any key, <code>vomeet open</code> on the
        server's machine opens this page signed in. API tokens are handed out by an administrator.</p>
    </details>
  </main>`;
}
