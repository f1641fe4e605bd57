// Keys of everybody: which end or lie unused, why one is refused, and the keys of administrators.

import { html, useState } from "./preact.js";
import { useFilter } from "./address.js";
import { get, post, remove, useLoad, usePages } from "./api.js";
import { Confirm, FormDialog, Reveal } from "./dialog.js";
import { words } from "./format.js";
import { Badge, Button, Card, Empty, Field, Head, Loaded, Note, SearchField, Time, say, useAction } from "./parts.js";
import { PagedTable, Table } from "./table.js";
import { Tabs } from "./tabs.js";
import { Choice, TokenDialog, ofUser, tokenColumns } from "./tokens.js";

const WEEK = 7 * 86_400;
const MONTH = 30 * 86_400;
/// Tokens are told apart by so many characters. Of a whole one that is pasted no more is kept, and
/// no more stands in the address of a request.
const HINT = 4;
const hintOf = (text) => text.trim().slice(0, HINT);
const TABS = [
  ["", "All tokens"], ["ending", "Ending in a week"], ["unused", "Unused for 30 days"],
  ["explain", "Explain a key"], ["refused", "Refused"], ["admin", "Admin keys"],
];

export default function Keys() {
  const [tab, show] = useFilter("show");
  const filter = { ending: { ending_within: WEEK }, unused: { unused_for: MONTH } }[tab] ?? {};
  return html`
    <${Head} title="Keys" lead="The tokens of all users, and the keys of administrators." />
    <${Tabs} label="Keys" tabs=${TABS} chosen=${tab} choose=${show}>
      ${tab === "explain" ? html`<${Explain} />`
        : tab === "refused" ? html`<${Refusals} />`
        : tab === "admin" ? html`<${AdminKeys} />`
        : html`<${Tokens} key=${tab} tab=${tab} filter=${filter} />`}
    <//>`;
}

function Tokens({ tab, filter }) {
  const [hint, search] = useState("");
  const [open, act] = useState(null);
  const tokens = usePages(async (after) => {
    const page = await get("admin/tokens/search", { ...filter, hint, after, limit: 50 });
    return { rows: page.tokens, next: page.next };
  }, [tab, hint]);
  const nothing = {
    ending: ["No token ends soon", "Those that end within a week are listed here, so that they can be rotated in time."],
    unused: ["Every token is in use", "Tokens that were not used for 30 days are listed here: revoke what nobody needs."],
  }[tab] ?? ["No token is like that", hint ? "Look for the first four characters of a token."
    : "Create one on the page of a user."];
  return html`
    <div class="toolbar"><${SearchField} label="First four characters of a token" value=${hint}
      set=${(text) => search(text.length === HINT ? text : "")} clean=${hintOf} /></div>
    <${PagedTable} of=${tokens} label="Tokens"
      columns=${tokenColumns({ owner: true, act: (what, token) => act({ what, token }) })}
      dim=${(token) => token.disabled_at} empty=${html`<${Empty} icon="key"
        title=${nothing[0]}>${nothing[1]}<//>`} />
    <${TokenDialog} open=${open} close=${() => act(null)} api=${ofUser(open?.token.user_id)}
      changed=${tokens.reload} />`;
}

function Explain() {
  const [key, set] = useState("");
  const [answer, show] = useState(null);
  const { busy, error, act } = useAction(async () => {
    show(null);
    show(await post("admin/tokens/explain", { token: key.trim() }));
    set("");
  });
  const submit = (event) => {
    event.preventDefault();
    act();
  };
  return html`<${Card} title="Why is a key refused?">
    <p>Paste the token that somebody has trouble with. It is sent in the body of a request, is not logged, and does
      not count as used.</p>
    <form class="inline" onSubmit=${submit}>
      <${Field} label="Token" type="password" value=${key} set=${set} autocomplete="off" spellcheck="false"
        error=${error?.message} />
      <${Button} type="submit" kind="primary" busy=${busy} disabled=${!key.trim()}>Explain<//>
    </form>
    <div aria-live="polite">${answer && html`<${Answer} of=${answer} />`}</div>
  <//>`;
}

function Answer({ of: { code, reason, token, user } }) {
  return html`<${Note} tone=${code === "accepted" ? "good" : "warn"}><strong>${words(code)}.</strong> ${reason}<//>
    ${token && html`<${Table} label="The token" rows=${[{ ...token, email: user?.email }]}
      columns=${tokenColumns({ owner: true })} />`}`;
}

function Refusals() {
  const refusals = useLoad((signal) => get("admin/refusals", { limit: 100 }, signal), []);
  return html`<${Loaded} of=${refusals}>${(data) => (data.refusals.length
    ? html`<p class="hint">The newest since the server started, <${Time}
      at=${data.since} exact />: ${data.total} in all.</p>
      <${Table} label="Refused keys" rows=${data.refusals} keyOf=${(row) => row.at + row.path + row.address}
        columns=${[
        { head: "Why", kind: "main", cell: (row) => html`<strong>${words(row.code)}</strong><span
          class="sub">${words(row.key)}${
          row.hint ? html` <code>${row.hint}…</code>` : ""}</span>` },
        { head: "Request", cell: (row) => html`<code>${row.method} ${row.path}</code>` },
        { head: "From", cell: (row) => row.address ?? "the admin socket" },
        { head: "Times", kind: "num", cell: (row) => row.count },
        { head: "Last", cell: (row) => html`<${Time} at=${row.at} />` },
      ]} />`
    : html`<${Empty} icon="check" title="No key was refused">Since the server started, every key that came was a good one.<//>`)}<//>`;
}

function AdminKeys() {
  const keys = useLoad((signal) => get("admin/keys", {}, signal), []);
  const [open, ask] = useState(null);
  const [fresh, reveal] = useState(null);
  const close = () => ask(null);
  const made = (key) => {
    close();
    reveal(key);
    keys.reload();
  };
  const create = html`<${Button} kind="small" icon="plus" onClick=${() => ask({ what: "create" })}>Create an admin key<//>`;
  return html`<${Card} title="Admin keys" actions=${create}>
    <p>Give each administrator a key of their own: the audit log names it. One more key may stand in the settings.</p>
    <${Loaded} of=${keys}>${(rows) => (rows.length ? html`<${Table} label="Admin keys" rows=${rows} columns=${[
      { head: "Key", kind: "main", cell: (key) => html`<strong>${key.name}</strong><span
        class="sub"><code>${key.hint}…</code></span>` },
      { head: "State", cell: (key) => html`<${KeyState} of=${key} />` },
      { head: "Ends", cell: (key) => html`<${Time} at=${key.expires_at} none="Never" />` },
      { head: "Created", cell: (key) => html`<${Time} at=${key.created_at} />` },
      { head: "What to do", kind: "act", cell: (key) => html`<div class="row-actions">
        <${Button} kind="small" label="Rotate ${key.name}" onClick=${() => ask({ what: "rotate", key })}>Rotate<//>
        <${Button} kind="small warn-text" label="Revoke ${key.name}"
          onClick=${() => ask({ what: "revoke", key })}>Revoke<//></div>` },
    ]} />` : html`<${Empty} icon="key" title="No named admin keys">Create one for each administrator.<//>`)}<//>
    ${open?.what === "create" && html`<${CreateKey} close=${close} done=${made} />`}
    ${open?.what === "rotate" && html`<${RotateKey} of=${open.key} close=${close} done=${made} />`}
    ${open?.what === "revoke" && html`<${Confirm} title="Revoke this admin key?" word="Revoke" close=${close}
      run=${() => remove(`admin/keys/${open.key.id}`)} done=${() => {
        say("The admin key is revoked");
        close();
        keys.reload();
      }}><p><strong>${open.key.name}</strong> is refused from the next request on. This cannot be undone.</p><//>`}
    ${fresh && html`<${Reveal} title="The admin key of ${fresh.name}" secret=${fresh.key}
      close=${() => reveal(null)} />`}
  <//>`;
}

function KeyState({ of: { expires_at: end } }) {
  const left = end ? new Date(end) - Date.now() : Infinity;
  if (left <= 0) return html`<${Badge} tone="bad">Expired<//>`;
  if (left < WEEK * 1000) return html`<${Badge} tone="wait">Ends soon<//>`;
  return html`<${Badge} tone="live">Accepted<//>`;
}

function CreateKey({ close, done }) {
  const [name, setName] = useState("");
  const [end, setEnd] = useState("31536000");
  const save = () => post("admin/keys", { name, ...(end && { expires_in: Number(end) }) });
  return html`<${FormDialog} title="Create an admin key" close=${close} save=${save} done=${done} word="Create">
    ${(faults) => html`
      <${Field} label="Name" hint="Whose it is; the audit log shows it." value=${name} set=${setName}
        error=${faults.name} autocomplete="off" />
      <${Choice} label="Ends" value=${end} set=${setEnd}
        options=${[["", "Never"], ["2592000", "In 30 days"], ["31536000", "In a year"]]} />`}
  <//>`;
}

function RotateKey({ of, close, done }) {
  const [grace, setGrace] = useState("600");
  const save = () => post(`admin/keys/${of.id}/rotate`, { grace_seconds: Number(grace) });
  return html`<${FormDialog} title="Rotate the key of ${of.name}" close=${close} save=${save} done=${done} word="Rotate">
    <${Choice} label="The old one ends" value=${grace} set=${setGrace}
      options=${[["0", "At once"], ["600", "In 10 minutes"], ["3600", "In an hour"], ["86400", "In a day"]]} />
  <//>`;
}
