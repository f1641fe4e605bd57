// The server itself: its health, backups, and the settings in force.

import { html, useState } from "./preact.js";
import { get, post, useEvery, useLoad } from "./api.js";
import { bytes, words } from "./format.js";
import { Badge, Button, Card, Empty, Facts, Head, Loaded, Note, SearchField, Time, say, useAction } from "./parts.js";
import { Table } from "./table.js";

export default function System() {
  return html`
    <${Head} title="System" lead="Whether the server is well, what is backed up, and the settings in force." />
    <div class="columns"><${Health} /><${Backups} /></div>
    <${Settings} />`;
}

function Health() {
  const health = useLoad((signal) => get("healthz", {}, signal), []);
  useEvery(10, health.reload);
  return html`<${Card} title="Health">
    <${Loaded} of=${health} lines=${3}>${({ status, version, started_at: since, server, checks, reasons }) => html`
      <${Facts} rows=${[
        ["State", html`<${Badge} tone=${status === "ok" ? "live" : "bad"}>${status === "ok" ? "Well" : words(status)}<//>`],
        ["Version", version],
        ["Running since", html`<${Time} at=${since} exact />`],
        server && ["Address", server.address],
        server && ["Database", html`<code class="long">${server.database}</code>`],
        server && ["Size", bytes(server.database_bytes)],
      ]} />
      ${[checks, reasons].flat().filter(Boolean).map((check) => html`<p class="hint">${said(check)}</p>`)}`}<//>
  <//>`;
}

const said = (check) => (typeof check === "string" ? check : [check.name ?? check.code, check.text ?? check.reason].filter(Boolean).join(": "));

function Backups() {
  const backups = useLoad((signal) => get("admin/backups", {}, signal), []);
  const { busy, error, act } = useAction(async () => {
    await post("admin/backups");
    say("The backup is made and verified");
    await backups.reload();
  });
  const isMissing = backups.error?.status === 404;
  const button = !isMissing && html`<${Button} kind="small" icon="plus" busy=${busy} onClick=${act}>Back up now<//>`;
  return html`<${Card} title="Backups" actions=${button}>
    ${error && html`<${Note}>${error.message}<//>`}
    ${isMissing
      ? html`<${Empty} icon="system" title="No backups here">This server keeps none by itself.<//>`
      : html`<${Loaded} of=${backups} lines=${3}>${(data) => html`<${Kept} of=${data} />`}<//>`}
  <//>`;
}

function Kept({ of: { folder, backups, last_failure: failure, next_due: next } }) {
  return html`
    ${failure && html`<${Note} tone="warn">The last failure was <${Time} at=${failure.at} />: ${failure.error ?? failure.reason}<//>`}
    ${backups.length
      ? html`<${Table} label="Backups" rows=${backups} keyOf=${(one) => one.file} columns=${[
          { head: "File", kind: "main", cell: (one) => html`<code class="long">${one.file}</code>` },
          { head: "Made", cell: (one) => html`<${Time} at=${one.created_at} />` },
          { head: "Size", kind: "num", cell: (one) => bytes(one.bytes) },
        ]} />`
      : html`<${Empty} icon="system" title="No backup yet">Press “Back up now”, and set <code>every</code> in the section
          <code>[backup]</code> of the settings, so that it happens by itself.<//>`}
    <p class="hint">${folder ? html`In <code class="long">${folder}</code>.` : "No folder is set."} ${
      next ? html`The next one is due <${Time} at=${next} />.` : ""}</p>`;
}

function Settings() {
  const settings = useLoad((signal) => get("admin/settings", {}, signal), []);
  const [wanted, search] = useState("");
  const [isChanged, changed] = useState(false);
  const matches = (row) => (!isChanged || row.source !== "default") && `${row.name} ${row.help}`.toLowerCase().includes(wanted.toLowerCase());
  return html`<${Card} title="Settings in force">
    <div class="toolbar">
      <${SearchField} label="Search settings" value=${wanted} set=${search} />
      <${Button} aria-pressed=${isChanged} kind="toggle" onClick=${() => changed(!isChanged)}>Changed ones only<//>
    </div>
    <${Loaded} of=${settings} lines=${8}>${({ file, settings: rows }) => html`
      <p class="hint">${file ? html`From <code class="long">${file}</code>, the environment and flags.` : "There is no settings file: from the environment, flags and defaults."}${" "}
        The server reads them when it starts.</p>
      <${Table} label="Settings" rows=${rows.filter(matches)} keyOf=${(row) => row.name} columns=${[
        { head: "Setting", kind: "main", cell: (row) => html`<code>${row.name}</code><span class="sub">${row.help}</span>` },
        { head: "Value", cell: (row) => html`<${Value} of=${row} />` },
        { head: "From", cell: (row) => (row.source === "default" ? html`<span class="faint">default</span>` : html`<strong>${row.source}</strong>`) },
      ]} />`}<//>
  <//>`;
}

function Value({ of: { value, is_secret: isSecret } }) {
  if (isSecret) return html`<span class="faint">secret</span>`;
  if (value === null || value === "" || value.length === 0) return html`<span class="faint">empty</span>`;
  return html`<code class="long">${typeof value === "string" ? value : [value].flat().join(", ")}</code>`;
}
