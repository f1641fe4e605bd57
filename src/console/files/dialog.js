// Dialogs: the browser's own, which keeps the focus inside and gives it back.

import { html, useEffect, useRef, useState } from "./preact.js";
import { Button, Copy, Field, Icon, Note, useAction } from "./parts.js";

function Dialog({ title, close, children, wide }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} class=${wide ? "wide" : ""} aria-labelledby="dialog-title"
    onClose=${close} onCancel=${(event) => event.stopPropagation()}>
    <div class="dialog-head">
      <h2 id="dialog-title">${title}</h2>
      <button type="button" class="button quiet square" aria-label="Close" onClick=${() => dialog.current.close()}>
        <${Icon} name="close" />
      </button>
    </div>
    ${children}
  </dialog>`;
}

/// A dialog with a form: `save` runs on submit, `done(outcome)` once that has worked.
export function FormDialog({ title, close, save, done, word, kind = "primary", canSave = true, children }) {
  const { busy, error, act } = useAction(save);
  const submit = async (event) => {
    event.preventDefault();
    if (busy || !canSave) return;
    const outcome = await act();
    if (outcome !== undefined) done(outcome);
  };
  return html`<${Dialog} title=${title} close=${close}>
    <form onSubmit=${submit} novalidate>
      <div class="dialog-body">
        ${typeof children === "function" ? children(error?.fields ?? {}) : children}
        ${error && html`<${Note}>${error.message}<//>`}
      </div>
      <div class="dialog-foot">
        <${Button} kind="quiet" onClick=${close}>Cancel<//>
        <${Button} type="submit" kind=${kind} busy=${busy} disabled=${!canSave}>${word}<//>
      </div>
    </form>
  <//>`;
}

/// Asks before something is done that cannot be undone; with `typed`, that text must be typed.
export function Confirm({ title, children, word, typed, typedLabel, close, run, done }) {
  const [text, set] = useState("");
  const isSure = !typed || text.trim().toLowerCase() === typed.toLowerCase();
  const save = async () => (await run()) ?? true;
  return html`<${FormDialog} title=${title} close=${close} save=${save} done=${done} word=${word}
    kind="danger" canSave=${isSure}>
    <div>${children}</div>
    ${typed && html`<${Field} label=${typedLabel} value=${text} set=${set} autocomplete="off"
      spellcheck="false" />`}
  <//>`;
}

/// Shows a new key: this once.
export function Reveal({ title, secret, close, children }) {
  return html`<${Dialog} title=${title} close=${close}>
    <div class="dialog-body">
      <${Note} tone="warn">Copy it now. The server keeps a hash of it alone, so it is never shown again.<//>
      <div class="secret">
        <code tabindex="0" aria-label="The new key">${secret}</code>
        <${Copy} text=${secret} label="Copy the key" kind="primary" />
      </div>
      ${children}
    </div>
    <div class="dialog-foot"><${Button} onClick=${close}>Done<//></div>
  <//>`;
}
