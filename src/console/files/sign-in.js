// Signing in with an admin key or a user's token.

import { html, useEffect, useState } from "./preact.js";
import { tryKey } from "./api.js";
import { Button, Check, Field, Logo, Note, useAction } from "./parts.js";
import { begin } from "./session.js";

/// How a user's token looks: such a key is tried as one first.
const TOKEN = /^[0-9A-Za-z]{40}$/;
/// Codes that say a key is of no such kind, so that the other kind is worth a try.
const NOT_OF_THIS_KIND = new Set(["unknown", "mistyped", "missing"]);

/// Finds out what kind of key it is by asking the server.
async function kindOf(key) {
  const [first, second] = TOKEN.test(key) ? ["user", "admin"] : ["admin", "user"];
  try {
    await tryKey(first, key);
    return first;
  } catch (error) {
    if (error.status !== 403 || (error.code && !NOT_OF_THIS_KIND.has(error.code))) throw error;
    try {
      await tryKey(second, key);
      return second;
    } catch (other) {
      // What the likelier kind says of it helps more.
      throw other.status === 403 ? error : other;
    }
  }
}

export function SignIn({ notice }) {
  const [key, setKey] = useState("");
  const [isRemembered, remember] = useState(false);
  const [isShown, show] = useState(false);
  const { busy, error, act } = useAction(async () => {
    const typed = key.trim();
    if (!typed) throw new Error("Type or paste a key first.");
    begin(await kindOf(typed), typed, isRemembered);
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
        <code>vomeet admin-key create NAME</code> at its shell. API tokens are handed out by an administrator.</p>
    </details>
  </main>`;
}
