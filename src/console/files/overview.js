// The first page of an administrator: how the server does, and what wants a look.

import { html } from "./preact.js";
import { get, useEvery, useLoad } from "./api.js";
import { Chart } from "./chart.js";
import { bytes, number, plural, words } from "./format.js";
import { Card, Head, Loaded, Meter, Note, Time } from "./parts.js";

export default function Overview() {
  const overview = useLoad((signal) => get("admin/overview", {}, signal), []);
  const backups = useLoad((signal) => get("admin/backups", {}, signal), []);
  useEvery(10, overview.reload);
  const days = overview.data?.counted.days;
  const points = (member) => days?.map((day) => ({ day: day.day, value: day[member] }));
  return html`
    <${Head} title="Overview" lead="What happens on this server, and what wants a look." />
    ${overview.error && html`<${Note} again=${overview.reload}>${overview.error.message}<//>`}
    <div class="warnings">${overview.data?.warnings.map((warning) => html`<${Note} tone="warn">${warning.text}<//>`)}</div>
    <div class="tiles">${tiles(overview.data, backups).map((tile) => html`<${Tile} ...${tile} />`)}</div>
    <div class="columns">
      <${Card} title="Requests"><${Chart} title="Requests" unit="requests" points=${points("requests")} /><//>
      <${Card} title="Bot minutes"><${Chart} title="Bot minutes" unit="minutes" points=${points("bot_minutes")} /><//>
    </div>
    <div class="columns">
      <${Card} title="Refused keys"><${Loaded} of=${overview} lines=${3}>${(data) => html`<${Refused} keys=${data.refused_keys} />`}<//><//>
      <${Card} title="Server"><${Loaded} of=${overview} lines=${3}>${(data) => html`<${Server} data=${data} />`}<//><//>
    </div>`;
}

/// The figures at the top; without data they stand empty, in their places.
function tiles(data, backups) {
  const { bots, counted, webhooks } = data ?? {};
  const today = counted?.meetings_today;
  const ending = counted?.ending_soon;
  const waiting = bots && bots.requested + bots.joining + bots.awaiting_admission;
  return [
    { name: "Bots now", value: number(bots?.running), href: "#/meetings?status=open",
      about: bots && `${number(bots.active)} in a meeting, ${number(waiting)} on the way` },
    { name: "Meetings today", value: number(today?.total), href: "#/meetings",
      about: today && `${number(today.completed)} completed, ${number(today.failed)} failed`, isBad: today?.failed > 0 },
    { name: "Keys ending soon", value: number(ending && ending.tokens + ending.admin_keys), href: "#/keys?show=ending",
      about: ending && `in the next ${ending.days} days`, isBad: ending && ending.tokens + ending.admin_keys > 0 },
    { name: "Webhooks waiting", value: number(webhooks?.waiting), href: "#/users",
      about: webhooks && (webhooks.oldest_at ? html`the oldest for <${Since} at=${webhooks.oldest_at} />` : "nothing waits") },
    { name: "Users", value: number(counted?.users), href: "#/users",
      about: counted && `${plural(counted.tokens, "token")}, ${number(counted.users_disabled)} disabled` },
    backupTile(backups),
  ];
}

const Since = ({ at }) => html`<${Time} at=${at} />`;

function backupTile({ data, error }) {
  const tile = { name: "Last backup", href: "#/system" };
  if (error) return { ...tile, value: "–", about: "this server keeps no backups" };
  if (!data) return { ...tile, value: "–" };
  if (!data.last_good) return { ...tile, value: "None", about: "back up now, on the page System", isBad: true };
  const isFailing = data.last_failure && data.last_failure.at > data.last_good.created_at;
  return {
    ...tile,
    value: html`<${Time} at=${data.last_good.created_at} />`,
    about: isFailing ? "the last attempt failed" : bytes(data.last_good.bytes),
    isBad: Boolean(isFailing),
  };
}

const Tile = ({ name, value, about, href, isBad }) => html`
  <a class=${isBad ? "tile is-bad" : "tile"} href=${href}>
    <span class="tile-name">${name}</span>
    <span class="tile-value">${value}</span>
    <span class="tile-about">${about ?? " "}</span>
  </a>`;

function Refused({ keys }) {
  const codes = Object.entries(keys.by_code).sort(([, one], [, other]) => other - one);
  if (!codes.length) return html`<p class="faint">No key was refused since <${Time} at=${keys.since} exact />.</p>`;
  const most = codes[0][1];
  return html`<ul class="meters">${codes.map(([code, count]) => html`<li>
      <span>${words(code)}</span><${Meter} max=${most} value=${count} label="${words(code)}: ${count}" /><span class="figure">${number(count)}</span>
    </li>`)}</ul>
    <p class="hint">Since <${Time} at=${keys.since} exact />. <a href="#/keys?show=refused">Who was refused</a></p>`;
}

function Server({ data }) {
  const { disk, database } = data;
  return html`<dl class="facts">
    <div><dt>Database</dt><dd>${bytes(database.bytes)}</dd></div>
    <div><dt>Write-ahead log</dt><dd>${bytes(database.wal_bytes)}</dd></div>
    <div><dt>Disk</dt><dd>${disk ? `${bytes(disk.free_bytes)} of ${bytes(disk.total_bytes)} free` : "not known"}</dd></div>
    <div><dt>Deletions to finish</dt><dd>${number(data.erasures_waiting)}</dd></div>
    <div><dt>Version</dt><dd>${data.version}</dd></div>
    <div><dt>Running since</dt><dd><${Time} at=${data.started_at} exact /></dd></div>
  </dl>`;
}
