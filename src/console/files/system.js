// The server itself: its health, backups, and the settings in force.

import { html, useState } from "./preact.js";
import { get, post, useEvery, useLoad } from "./api.js";
import { Engines } from "./engines.js";
import { bytes, duration } from "./format.js";
import { Badge, Button, Card, Empty, Facts, Head, Loaded, Note, SearchField, Skeleton, Time, say, useAction } from "./parts.js";
import { Table } from "./table.js";

export default function System() {
  const health = useLoad((signal) => get("admin/health", {}, signal), []);
  const backups = useLoad((signal) => get("admin/backups", {}, signal), []);
  const transcription = useLoad((signal) => get("admin/transcription", {}, signal), []);
  useEvery(10, () => {
    health.reload();
    transcription.reload();
  });
  const isWaiting = [health, backups, transcription].some(({ data, error }) => !data && !error);
  return html`
    <${Head} title="System" lead="Whether the server is well, what is backed up, who makes words of sound, and the settings in force." />
    ${isWaiting ? html`<${Card}><${Skeleton} lines=${8} /><//>` : html`
    <div class="columns"><${Health} of=${health} /><${Backups} of=${backups} /></div>
    <${Engines} of=${transcription} />
    <${Settings} />`}`;
}

function Health({ of }) {
  return html`<${Card} title="Health">
    <${Loaded} of=${of}>${(data) => html`
      ${data.findings.map((found) => html`<${Note} key=${found.code} tone=${TONES[found.severity]}>
        <strong>${found.message}</strong> ${found.advice}<//>`)}
      <${Facts} rows=${[
        ["State", of.error ? html`<${Badge} tone="bad">Not known<//>` : html`<${State} of=${data} />`],
        ["Version", data.version],
        ["Running since", html`<${Time} at=${data.started_at} exact />`],
        ["Database", html`${bytes(data.database_bytes)}, with ${bytes(data.wal_bytes)} of write-ahead log`],
        ["Free on its disk", bytes(data.disk_free_bytes)],
        ["File", html`<code>${data.database}</code>`],
      ]} />`}<//>
  <//>`;
}

/// The tone of a finding, by how bad it is.
const TONES = { dead: "bad", not_ready: "bad", warning: "warn", note: "" };

function State({ of: { works, ready } }) {
  if (!works) return html`<${Badge} tone="bad">Does not work<//>`;
  if (!ready) return html`<${Badge} tone="bad">Takes no requests<//>`;
  return html`<${Badge} tone="live">Well<//>`;
}

function Backups({ of: backups }) {
  const { busy, error, act } = useAction(async () => {
    const made = await post("admin/backups");
    say(`The backup is made and verified, in ${duration(made.seconds)}`);
    await backups.reload();
  });
  const button = backups.data?.folder && html`<${Button} kind="small" icon="plus" busy=${busy}
    onClick=${act}>Back up now<//>`;
  return html`<${Card} title="Backups" actions=${button}>
    ${error && html`<${Note}>${error.message}<//>`}
    <${Loaded} of=${backups}>${(data) => html`<${Kept} of=${data} />`}<//>
  <//>`;
}

function Kept({ of: { folder, backups, last_failure: failure, next_at: next } }) {
  if (!folder) {
    return html`<${Empty} icon="system" title="Nothing is backed up by itself">Set <code>folder</code> in
      the section <code>[backup]</code> of the settings, or run <code>vomeet backup FILE</code> at a shell.<//>`;
  }
  return html`
    ${failure && html`<${Note} tone="warn">The last one failed <${Time} at=${failure.at} />: ${failure.why}<//>`}
    ${backups.length
      ? html`<${Table} label="Backups" rows=${backups} keyOf=${(one) => one.file} columns=${[
          { head: "As of", kind: "main", cell: (one) => html`<${Time} at=${one.at} exact /><span
            class="sub">${one.file}</span>` },
          { head: "State", cell: (one) => (one.verified ? html`<${Badge} tone="live">Verified<//>` : html`<${Badge}
            tone="bad">Not whole<//>`) },
          { head: "Size", kind: "num", cell: (one) => bytes(one.bytes) },
        ]} />`
      : html`<${Empty} icon="system" title="No backup yet">The schedule makes one by itself; “Back up now” does not
        wait for it.<//>`}
    <p class="hint">In <code>${folder}</code>. ${next && html`The next one is due <${Time} at=${next} />.`}</p>`;
}

function Settings() {
  const settings = useLoad((signal) => get("admin/settings", {}, signal), []);
  const [wanted, search] = useState("");
  const [isChanged, changed] = useState(false);
  const matches = (row) => {
    const isMeant = !isChanged || row.source !== "default";
    return isMeant && `${row.name} ${row.help}`.toLowerCase().includes(wanted.toLowerCase());
  };
  return html`<${Card} title="Settings in force">
    <div class="toolbar">
      <${SearchField} label="Search settings" value=${wanted} set=${search} />
      <${Button} aria-pressed=${isChanged} kind="toggle" onClick=${() => changed(!isChanged)}>Changed ones only<//>
    </div>
    <${Loaded} of=${settings} lines=${8}>${({ file, settings: rows }) => html`
      <p class="hint">${file ? html`From <code>${file}</code>, the environment and flags.`
        : "There is no settings file: from the environment, flags and defaults."}${" "}
        The server reads them when it starts.</p>
      <${Table} label="Settings" rows=${rows.filter(matches)} keyOf=${(row) => row.name} columns=${[
        { head: "Setting", kind: "main", cell: (row) => html`<code>${row.name}</code><span
          class="sub">${help(row.help)}</span>` },
        { head: "Value", cell: (row) => html`<${Value} of=${row} />` },
        { head: "From", cell: (row) => (row.source === "default" ? html`<span class="faint">default</span>`
          : html`<strong>${row.source}</strong>`) },
      ]} />`}<//>
  <//>`;
}

/// What stands in back quotes is code.
const help = (text) => text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

function Value({ of: { value, source, is_secret: isSecret } }) {
  if (isSecret) return html`<span class="faint">${source === "default" ? "not set" : "set, not shown"}</span>`;
  if (value === null || value === "" || value.length === 0) return html`<span class="faint">empty</span>`;
  return html`<code>${typeof value === "string" ? value : [value].flat().join(", ")}</code>`;
}
