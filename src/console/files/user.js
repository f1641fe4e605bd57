// One user: what they may do, their tokens, meetings, usage and webhook.

import { html, useState } from "./preact.js";
import { download, get, patch, remove, typedNumber, useLoad, usePages } from "./api.js";
import { Chart, byDay } from "./chart.js";
import { Deliveries } from "./deliveries.js";
import { Confirm, FormDialog } from "./dialog.js";
import { duration, number, plural } from "./format.js";
import { Badge, Button, Card, Check, Empty, Facts, Failed, Field, Head, Loaded, Note, Skeleton, Time, say, useAction } from "./parts.js";
import { MeetingsTable } from "./meetings.js";
import { Table } from "./table.js";
import { TokenDialog, ofUser, tokenColumns } from "./tokens.js";

export default function UserPage({ parts }) {
  const id = parts[1];
  const user = useLoad((signal) => get(`admin/users/${id}`, {}, signal), [id]);
  const [asked, ask] = useState(null);
  const exported = useAction(() => download(`admin/users/${id}/export`, {}, `user-${id}.json`));
  const back = { href: "#/users", text: "Users" };
  if (!user.data) {
    return html`<${Head} title="User ${id}" back=${back} />
      ${user.error ? html`<${Failed} of=${user} />` : html`<${Skeleton} lines=${8} />`}`;
  }
  const { data } = user;
  const close = () => ask(null);
  const changed = (message) => () => {
    say(message);
    close();
    user.reload();
  };
  return html`
    <${Head} title=${data.name ?? data.email} lead=${data.name ? data.email : null} back=${back}>
      <${Button} icon="edit" onClick=${() => ask("edit")}>Edit<//>
      <${Button} icon="download" busy=${exported.busy} onClick=${exported.act}>Export<//>
      <${Button} onClick=${() => ask(data.disabled_at ? "enable" : "disable")}>${data.disabled_at ? "Enable"
        : "Disable"}<//>
      <${Button} kind="warn-text" icon="trash" onClick=${() => ask("erase")}>Erase<//>
    <//>
    <${Failed} of=${user} />
    ${data.disabled_at && html`<${Note} tone="warn">Disabled <${Time} at=${data.disabled_at} />: all their tokens
      are refused, and nothing is deleted.<//>`}
    ${exported.error && html`<${Note}>${exported.error.message}<//>`}
    <${Figures} user=${data} />
    <${Tokens} user=${data} reload=${user.reload} />
    <${Meetings} id=${id} />
    <div class="columns"><${Usage} id=${id} /><${Webhook} id=${id} /></div>
    ${asked === "edit" && html`<${Edit} user=${data} close=${close} done=${changed("The user is changed")} />`}
    ${asked === "disable" && html`<${Disable} user=${data} close=${close}
      done=${changed("The user is disabled")} />`}
    ${asked === "enable" && html`<${Confirm} title="Enable this user?" word="Enable" kind="primary" close=${close}
      run=${() => patch(`admin/users/${id}`, { disabled: false })} done=${changed("The user is enabled")}>
      <p>Their tokens are accepted again.</p><//>`}
    ${asked === "erase" && html`<${Confirm} title="Erase this user?" word="Erase for ever" typed=${data.email}
      typedLabel="Type ${data.email} to go on" close=${close} run=${() => remove(`admin/users/${id}`)}
      done=${() => {
        say("The user is erased");
        location.hash = "#/users";
      }}>
      <p><strong>${data.email}</strong> is deleted with all tokens, meetings, transcripts and usage, from the
        database
        files too. This cannot be undone. <strong>Export</strong> first what must be kept.</p><//>`}`;
}

function Figures({ user }) {
  const details = useLoad((signal) => get(`admin/analytics/users/${user.id}/details`, {}, signal), [user.id]);
  const stats = details.data?.meeting_stats;
  return html`<${Card}><${Facts} rows=${[
    ["State", user.disabled_at ? html`<${Badge} tone="bad">Disabled<//>` : html`<${Badge} tone="live">Enabled<//>`],
    ["Bots at once", number(user.max_concurrent_bots)],
    ["Meetings", stats && `${number(stats.total_meetings)} (${number(stats.failed_meetings)} failed)`],
    ["Time in meetings", stats && duration(stats.total_duration)],
    ["Last meeting", html`<${Time} at=${details.data?.usage_patterns.last_activity} none="None yet" />`],
    ["Since", html`<${Time} at=${user.created_at} exact />`],
  ]} /><//>`;
}

function Tokens({ user, reload }) {
  const [open, act] = useState(null);
  const create = html`<${Button} kind="small" icon="plus" onClick=${() => act({ what: "create" })}>Create a
    token<//>`;
  return html`<${Card} title="Tokens" actions=${create}>
    ${user.api_tokens.length
      ? html`<${Table} label="Tokens" rows=${user.api_tokens}
        dim=${(token) => token.disabled_at || token.replaced_by}
          columns=${tokenColumns({ act: (what, token) => act({ what, token }) })} />`
      : html`<${Empty} icon="key" title="No token yet">Create one and hand it over through a channel that you would
        trust with a password.<//>`}
    <${TokenDialog} open=${open} close=${() => act(null)} api=${ofUser(user.id)} changed=${reload} />
  <//>`;
}

function Meetings({ id }) {
  const meetings = usePages(async (before) => {
    const page = await get("admin/meetings/search", { user_id: id, before, limit: 8 });
    return { rows: page.meetings, next: page.next };
  }, [id]);
  const empty = html`<${Empty} icon="meeting" title="No meetings yet">They begin when this user sends a bot.<//>`;
  return html`<${Card} title="Meetings"><${MeetingsTable} of=${meetings} empty=${empty} lines=${4} /><//>`;
}

function Usage({ id }) {
  const usage = useLoad((signal) => get("admin/usage", { user_id: id, by: "day" }, signal), [id]);
  return html`<${Card} title="Usage"><${Chart} title="Requests" unit="requests"
    points=${usage.data && byDay(usage.data.usage, "requests")} /><//>`;
}

function Webhook({ id }) {
  const webhook = useLoad((signal) => get(`admin/users/${id}/webhook`, {}, signal), [id]);
  return html`<${Card} title="Webhook">
    <${Loaded} of=${webhook} lines=${2}>${(data) => html`<p>${data.webhook_url
      ? html`<code>${data.webhook_url}</code> ${data.has_secret ? "signed" : "not signed"}`
      : html`<span class="faint">None is set.</span>`}</p>`}<//>
    <${Deliveries} path="admin/users/${id}/webhook/deliveries"
      resendPath=${(one) => `admin/deliveries/${one.id}/resend`} hrefOf=${(one) => `#/meetings/${one.meeting_id}`} />
  <//>`;
}

function Edit({ user, close, done }) {
  const [name, setName] = useState(user.name ?? "");
  const [bots, setBots] = useState(String(user.max_concurrent_bots));
  const save = async () => patch(`admin/users/${user.id}`, { name: name || null, max_concurrent_bots: typedNumber(bots, "max_concurrent_bots") });
  return html`<${FormDialog} title="Edit ${user.email}" close=${close} save=${save} done=${done} word="Save">
    ${(faults) => html`
      <${Field} label="Name" value=${name} set=${setName} error=${faults.name} autocomplete="off" />
      <${Field} label="Bots at once" type="number" min="0" value=${bots} set=${setBots}
        error=${faults.max_concurrent_bots}
        hint="0 is none." />`}
  <//>`;
}

function Disable({ user, close, done }) {
  const [areStopped, stop] = useState(false);
  const save = () => patch(`admin/users/${user.id}`, { disabled: true, stop_bots: areStopped });
  return html`<${FormDialog} title="Disable this user?" close=${close} save=${save} done=${done} word="Disable"
    kind="danger">
    <p>All ${plural(user.api_tokens.length, "token")} of <strong>${user.email}</strong> are refused until the user
      is enabled again. Nothing is deleted.</p>
    <${Check} label="Stop their bots too" hint="Otherwise bots that are in meetings go on." checked=${areStopped} set=${stop} />
  <//>`;
}
