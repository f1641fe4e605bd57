// What was used, by day, as a chart and as comma-separated values; everybody's or one's own.

import { html, useState } from "./preact.js";
import { download, get, useLoad } from "./api.js";
import { Chart, byDay } from "./chart.js";
import { dayBefore, number } from "./format.js";
import { Button, Card, Empty, Head, Loaded, Note, Select, useAction } from "./parts.js";
import { Table } from "./table.js";

const SPANS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"]];
const FIGURES = [
  ["requests", "Requests", "requests"], ["bots", "Bots", "bots"],
  ["bot_minutes", "Bot minutes", "minutes"], ["transcript_minutes", "Transcript minutes", "minutes"],
  ["sound_minutes", "Sound minutes", "minutes"],
];
const ROWS_MAX = 100;

export default function Usage({ kind }) {
  const isAdmin = kind === "admin";
  const path = isAdmin ? "admin/usage" : "user/usage";
  const [days, setDays] = useState("30");
  const [figure, setFigure] = useState("requests");
  const from = dayBefore(Number(days) - 1);
  const usage = useLoad((signal) => get(path, { from, by: "day" }, signal), [from]);
  const by = isAdmin ? "user" : "token";
  const share = useLoad((signal) => get(path, { from, by, limit: ROWS_MAX }, signal), [from]);
  const names = useLoad((signal) => (isAdmin ? namesOfUsers(signal) : namesOfTokens(signal)), []);
  const csv = useAction(() => download(path, { from, format: "csv" }, `usage-from-${from}.csv`));
  const [, title, unit] = FIGURES.find(([key]) => key === figure);
  return html`
    <${Head} title="Usage" lead=${isAdmin ? "What all users used, by day in UTC."
      : "What your tokens used, by day in UTC."}>
      <${Button} icon="download" busy=${csv.busy} onClick=${csv.act}>Save as CSV<//>
    <//>
    ${csv.error && html`<${Note}>${csv.error.message}<//>`}
    ${usage.error && html`<${Note} again=${usage.reload}>${usage.error.message}<//>`}
    <div class="toolbar">
      <${Select} label="Days" value=${days} set=${setDays} options=${SPANS} />
      <${Select} label="Figure" value=${figure} set=${setFigure} options=${FIGURES} />
    </div>
    <${Card} title=${title}><${Chart} title=${title} unit=${unit}
      points=${usage.data && byDay(usage.data.usage, figure, Number(days))} /><//>
    <${Card} title=${isAdmin ? "By user" : "By token"}>
      <${Loaded} of=${share}>${({ usage: rows, next }) => (rows.length
        ? html`<${Table} label="Shares" keyOf=${(row) => row.user_id ?? row.token_id}
          columns=${columns(isAdmin, names.data)}
            rows=${[...rows].sort((one, other) => other[figure] - one[figure])} />
          ${next && html`<p class="hint">These are the first ${rows.length} by id, the biggest of them first;
            there are more.</p>`}`
        : html`<${Empty} icon="usage" title="Nothing was used">In this time nobody sent a request or a
          bot.<//>`)}<//>
    <//>`;
}

function columns(isAdmin, names) {
  const name = (row) => (isAdmin
    ? html`<a href="#/users/${row.user_id}">${names?.get(row.user_id) ?? `User ${row.user_id}`}</a>`
    : names?.get(row.token_id) ?? `Token ${row.token_id}`);
  return [
    { head: isAdmin ? "User" : "Token", kind: "main", cell: name },
    ...FIGURES.map(([key, head]) => ({ head, kind: "num", cell: (row) => number(row[key]) })),
  ];
}

async function namesOfUsers(signal) {
  const users = await get("admin/users", { limit: 1000 }, signal);
  return new Map(users.map((user) => [user.id, user.email]));
}

async function namesOfTokens(signal) {
  const tokens = await get("user/tokens", {}, signal);
  return new Map(tokens.map((token) => [token.id, token.name ?? `${token.hint}…`]));
}
