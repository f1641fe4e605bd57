// Dialogs: the browser's own, which keeps the focus inside and gives it back.

import { html, useEffect, useRef, useState } from "./preact.js";
import { Button, Copy, Field, Icon, Note, useAction } from "./parts.js";

/// `children(leave)`: `leave()` closes it as the browser does, which gives the focus back. With
/// `isKept` only `leave` closes it.
function Dialog({ title, close, children, wide, isKept }) {
  const dialog = useRef(null);
  const isLeaving = useRef(false);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  const leave = () => {
    isLeaving.current = true;
    dialog.current?.close();
  };
  const closed = () => {
    if (isKept && !isLeaving.current) dialog.current?.showModal();
    else close();
  };
  const stay = (event) => {
    event.stopPropagation();
    if (isKept) event.preventDefault();
  };
  const pressed = (event) => event.key === "Escape" && stay(event);
  return html`<dialog ref=${dialog} class=${wide ? "wide" : ""} aria-labelledby="dialog-title"
    onClose=${closed} onCancel=${stay} onKeyDown=${pressed}>
    <div class="dialog-head">
      <h2 id="dialog-title">${title}</h2>
      ${!isKept && html`<button type="button" class="button quiet square" aria-label="Close" onClick=${leave}>
        <${Icon} name="close" />
      </button>`}
    </div>
    ${children(leave)}
  </dialog>`;
}

/// A dialog with a form: `save` runs on submit, `done(outcome)` once that has worked.
export function FormDialog({ title, close, save, done, word, kind = "primary", canSave = true, children }) {
  const { busy, error, act } = useAction(save);
  const submit = async (event, leave) => {
    event.preventDefault();
    if (busy || !canSave) return;
    const outcome = await act();
    if (outcome === undefined) return;
    leave();
    done(outcome);
  };
  return html`<${Dialog} title=${title} close=${close}>${(leave) => html`
    <form onSubmit=${(event) => submit(event, leave)} novalidate>
      <div class="dialog-body">
        ${typeof children === "function" ? children(error?.fields ?? {}) : children}
        ${error && html`<${Note}>${error.message}<//>`}
      </div>
      <div class="dialog-foot">
        <${Button} kind="quiet" onClick=${leave}>Cancel<//>
        <${Button} type="submit" kind=${kind} busy=${busy} disabled=${!canSave}>${word}<//>
      </div>
    </form>`}
  <//>`;
}

/// Asks before something is done, in red unless `kind` says otherwise; with `typed`, that text must
/// be typed.
export function Confirm({ title, children, word, typed, typedLabel, close, run, done, kind = "danger" }) {
  const [text, set] = useState("");
  const isSure = !typed || text.trim().toLowerCase() === typed.toLowerCase();
  const save = async () => (await run()) ?? true;
  return html`<${FormDialog} title=${title} close=${close} save=${save} done=${done} word=${word}
    kind=${kind} canSave=${isSure}>
    <div>${children}</div>
    ${typed && html`<${Field} label=${typedLabel} value=${text} set=${set} autocomplete="off"
      spellcheck="false" />`}
  <//>`;
}

const OF_A_KEY = "Copy it now. The server keeps a hash of it alone, so it is never shown again.";

/// Shows a new key or another secret: this once. Until it is copied, only "Done" closes the dialog.
export function Reveal({ title, secret, close, children, name = "key", warning = OF_A_KEY }) {
  const [isCopied, copied] = useState(false);
  return html`<${Dialog} title=${title} close=${close} isKept=${!isCopied}>${(leave) => html`
    <div class="dialog-body">
      <${Note} tone="warn">${warning}<//>
      <div class="secret">
        <code tabindex="0" aria-label="The new ${name}">${secret}</code>
        <${Copy} text=${secret} label="Copy the ${name}" kind="primary" copied=${() => copied(true)} />
      </div>
      ${children}
    </div>
    <div class="dialog-foot"><${Button} onClick=${leave}>Done<//></div>`}
  <//>`;
}
