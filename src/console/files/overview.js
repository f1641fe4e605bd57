// The first page of an administrator: how the server does, and what wants a look.

import { html } from "./preact.js";
import { get, useEvery, useLoad } from "./api.js";
import { Chart } from "./chart.js";
import { ago, bytes, number, plural, words } from "./format.js";
import { Card, Facts, Failed, Head, Meter, Note, Skeleton, Time } from "./parts.js";

export default function Overview() {
  const overview = useLoad((signal) => get("admin/overview", {}, signal), []);
  const backups = useLoad((signal) => get("admin/backups", {}, signal), []);
  useEvery(10, overview.reload);
  const { data, error } = overview;
  const points = (member) => data.counted.days.map((day) => ({ day: day.day, value: day[member] }));
  return html`
    <${Head} title="Overview" lead="What happens on this server, and what wants a look." />
    <${Failed} of=${overview} />
    ${!data && !error && html`<${Waiting} />`}
    ${data && html`
    <div class="warnings">${data.warnings.map((warning) => html`<${Note} key=${warning.code}
      tone="warn">${warning.text}<//>`)}</div>
    <div class="tiles">${tiles(data, backups).map((tile) => html`<${Tile} key=${tile.name} ...${tile} />`)}</div>
    <div class="columns">
      <${Card} title="Requests"><${Chart} title="Requests" unit="requests" points=${points("requests")} /><//>
      <${Card} title="Bot minutes"><${Chart} title="Bot minutes" unit="minutes"
        points=${points("bot_minutes")} /><//>
    </div>
    <div class="columns">
      <${Card} title="Refused keys"><${Refused} keys=${data.refused_keys} /><//>
      <${Card} title="Server"><${Server} data=${data} /><//>
    </div>`}`;
}

/// The same places, while what belongs there is on its way.
const Waiting = () => html`
  <div class="tiles">${Array.from({ length: 6 }, () => html`<div class="tile"><${Skeleton}
    lines=${3} /></div>`)}</div>
  <div class="columns"><${Card}><${Skeleton} kind="chart" lines=${1} /><//><${Card}><${Skeleton} kind="chart"
    lines=${1} /><//></div>`;

/// The figures at the top.
function tiles(data, backups) {
  const { bots, counted, webhooks } = data;
  const today = counted.meetings_today;
  const ending = counted.ending_soon;
  const isEnding = ending.tokens + ending.admin_keys;
  const waiting = bots.requested + bots.joining + bots.awaiting_admission;
  return [
    { name: "Bots now", value: number(bots.running), href: "#/meetings?status=open",
      about: `${number(bots.active)} in a meeting, ${number(waiting)} on the way` },
    { name: "Meetings today", value: number(today.total), href: "#/meetings",
      about: `${number(today.completed)} completed, ${number(today.failed)} failed`, isBad: today.failed > 0 },
    { name: "Keys ending soon", value: number(isEnding), href: "#/keys?show=ending",
      about: `in the next ${ending.days} days`, isBad: isEnding > 0 },
    { name: "Webhooks waiting", value: number(webhooks.waiting), href: "#/users",
      about: webhooks.oldest_at ? `the oldest: ${ago(webhooks.oldest_at)}` : "nothing waits" },
    { name: "Users", value: number(counted.users), href: "#/users",
      about: `${plural(counted.tokens, "token")}, ${number(counted.users_disabled)} disabled` },
    backupTile(backups),
  ];
}

function backupTile({ data, error }) {
  const tile = { name: "Last backup", href: "#/system" };
  if (!data) return { ...tile, value: "–", about: error?.message };
  const last = data.backups.find((backup) => backup.verified);
  if (!last) return { ...tile, value: "None", about: data.folder ? "back up now, on the page System"
    : "no folder is set", isBad: true };
  const isFailing = Boolean(data.last_failure);
  return {
    ...tile,
    value: html`<${Time} at=${last.at} />`,
    about: isFailing ? "the last attempt failed" : bytes(last.bytes),
    isBad: isFailing,
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
      <span>${words(code)}</span><${Meter} max=${most} value=${count} label="${words(code)}: ${count}" /><span
        class="figure">${number(count)}</span>
    </li>`)}</ul>
    <p class="hint">Since <${Time} at=${keys.since} exact />. <a href="#/keys?show=refused">Who was
      refused</a></p>`;
}

function Server({ data }) {
  const { disk, database } = data;
  return html`<${Facts} rows=${[
    ["Database", bytes(database.bytes)],
    ["Write-ahead log", bytes(database.wal_bytes)],
    ["Disk", disk ? `${bytes(disk.free_bytes)} of ${bytes(disk.total_bytes)} free` : "not known"],
    ["Deletions to finish", number(data.erasures_waiting)],
    ["Version", data.version],
    ["Running since", html`<${Time} at=${data.started_at} exact />`],
  ]} />`;
}
