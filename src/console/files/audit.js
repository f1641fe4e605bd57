// The audit log: who changed what, what was there before, and whether the chain is intact.

import { html } from "./preact.js";
import { useFilter } from "./address.js";
import { download, get, useLoad, usePages } from "./api.js";
import { number, words } from "./format.js";
import { Button, Copy, Empty, Head, Icon, Note, SearchField, Select, Skeleton, Time, useAction } from "./parts.js";
import { Paged } from "./table.js";

const PAGE = 50;
const ACTIONS = {
  "user.create": "User added", "user.update": "User changed", "user.delete": "User erased", "user.export": "User exported",
  "token.create": "Token created", "token.update": "Token changed", "token.rotate": "Token rotated", "token.revoke": "Token revoked",
  "transcript.correct": "Line corrected", "speaker.rename": "Speaker renamed",
  "share.create": "Share link made", "share.revoke": "Share link revoked",
  "key.create": "Admin key created", "key.rotate": "Admin key rotated", "key.revoke": "Admin key revoked",
  "meeting.stop": "Bot stopped", "settings.reload": "Settings read again", "webhook.delete": "Webhook deleted", "webhook.resend": "Event sent again", "audit.prune": "Old entries deleted",
  "database.backup": "Backup begun", "database.restore": "Database restored",
  "database.import": "Users and meetings imported",
};
const actionName = (action) => ACTIONS[action] ?? words(action.replace(".", " "));

export default function Audit() {
  const [action, setAction] = useFilter("action");
  const [actor, setActor] = useFilter("actor");
  const [user, setUser] = useFilter("user");
  const entries = usePages(async (before) => {
    const asked = { action, actor: actor.trim(), user_id: user.trim(), before, limit: PAGE };
    const page = await get("admin/audit", asked);
    return { rows: page.entries, next: page.next };
  }, [action, actor, user]);
  const exported = useAction(() => download("admin/audit/export", {}, "audit.jsonl"));
  return html`
    <${Head} title="Audit log" lead="Every administrative change: who, when, from where, and what was there before.">
      <${Button} icon="download" busy=${exported.busy} onClick=${exported.act}>Export<//>
    <//>
    <${Chain} />
    ${exported.error && html`<${Note}>${exported.error.message}<//>`}
    <div class="toolbar">
      <${Select} label="Action" value=${action} set=${setAction}
        options=${[["", "Every action"], ...Object.entries(ACTIONS)]} />
      <${SearchField} label="Who" placeholder="Who, such as key:ada" value=${actor} set=${setActor} />
      <${SearchField} label="User id" value=${user} set=${setUser} />
    </div>
    <${Paged} of=${entries} lines=${8} empty=${html`<${Empty} icon="audit" title="No entry is like that">Every
      administrative change is written here in the same transaction as the change.<//>`}>${(rows) => html`
      <ol class="entries">${rows.map((entry) => html`<${Entry} key=${entry.id} of=${entry} />`)}</ol>`}<//>`;
}

function Chain() {
  const chain = useLoad((signal) => get("admin/audit/verify", {}, signal), []);
  if (chain.error) return html`<${Note} again=${chain.reload}>${chain.error.message}<//>`;
  if (!chain.data) return html`<${Skeleton} lines=${1} kind="note-like" />`;
  const { intact, entries, head, faults } = chain.data;
  if (!intact) {
    return html`<${Note}><strong>The chain is
      broken.</strong> ${faults.map((fault) => `Entry ${fault.id}: ${fault.what}`).join(". ")}<//>`;
  }
  return html`<div class="note good"><${Icon} name="check" /><div><strong>Intact</strong>, ${number(entries)} entries, head${" "}
    <code>${head.slice(0, 16)}…</code>.</div><${Copy} text=${head} label="Copy the head" /></div>`;
}

function Entry({ of: entry }) {
  const changes = differences(entry.before, entry.after);
  return html`<li><details>
    <summary>
      <span class="entry-what"><strong>${actionName(entry.action)}</strong>
        <span class="sub">${subject(entry)}</span></span>
      <span class="entry-who">${entry.actor}<span class="sub">${entry.address ?? ""}</span></span>
      <${Time} at=${entry.at} />
    </summary>
    ${changes.length
      ? html`<div class="table" role="region" aria-label="What changed in entry ${entry.id}" tabindex="0"><table class="diff">
          <thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
          <tbody>${changes.map(([name, before, after]) => html`<tr><th scope="row">${name}</th>
            <td data-label="Before">${before === undefined ? "–" : html`<del>${shown(before)}</del>`}</td>
            <td data-label="After">${after === undefined ? "–"
              : html`<ins>${shown(after)}</ins>`}</td></tr>`)}</tbody></table></div>`
      : html`<p class="faint">The entry says no more: nothing differs, or what it said was deleted with its user.</p>`}
    <p class="hint">Entry ${entry.id}, hash <code>${entry.hash}</code></p>
  </details></li>`;
}

const subject = ({ subject: what, subject_id: id, user_id: user }) =>
  [`${words(what)}${id === null ? "" : ` ${id}`}`, user !== null && what !== "user" && `user ${user}`].filter(Boolean).join(", ");

const shown = (value) => (value === null ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));

/// The fields that differ: [name, before, after]; undefined is a field that was not there.
function differences(before, after) {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names]
    .map((name) => [name, before?.[name], after?.[name]])
    .filter(([, one, other]) => JSON.stringify(one) !== JSON.stringify(other));
}
