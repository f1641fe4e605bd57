// One's own tokens: the one in use, others, and narrower ones for programs.

import { html, useState } from "./preact.js";
import { answer, get, post, useLoad } from "./api.js";
import { scope } from "./format.js";
import { Button, Card, Empty, Facts, Head, Loaded, Time } from "./parts.js";
import { end, replaceKey } from "./session.js";
import { Table } from "./table.js";
import { TokenDialog, TokenState, tokenColumns } from "./tokens.js";

const DAY = 86_400;
const GRACES = [[0, "At once"], [600, "In 10 minutes"], [3600, "In an hour"]];
const ENDS = [
  ["same", "With the token in use"], [DAY, "In a day"], [7 * DAY, "In a week"], [30 * DAY, "In 30 days"],
  [90 * DAY, "In 90 days"],
];

export default function MyKeys() {
  const me = useLoad((signal) => get("user", {}, signal), []);
  const tokens = useLoad((signal) => get("user/tokens", {}, signal), []);
  const [open, act] = useState(null);
  const inUse = me.data?.token.id;
  const changed = () => {
    me.reload();
    tokens.reload();
  };
  const api = {
    create: (body) => post("user/tokens", body),
    rotate: async (_, body) => {
      const made = await post("user/tokens/rotate", body);
      replaceKey(made.token);
      return made;
    },
    revoke: async (token) => {
      const outcome = await answer("DELETE", `user/tokens/${token.id}`);
      if (token.id === inUse) end("You revoked the token that you had signed in with.");
      return outcome;
    },
  };
  return html`
    <${Head} title="Keys" lead="Your tokens. Give every program one of its own, with no more than it needs.">
      <${Button} kind="primary" icon="plus" onClick=${() => act({ what: "create" })}>Create a token<//>
    <//>
    <${Card} title="The token in use" actions=${html`<${Button} kind="small" icon="refresh"
      onClick=${() => act({ what: "rotate", token: me.data.token })}
      disabled=${!me.data}>Rotate<//>`}>
      <${Loaded} of=${me} lines=${4}>${({ token }) => html`<${Facts} rows=${[
        ["Token", html`${token.name ?? "Without a name"} <code>${token.hint}…</code>`],
        ["State", html`<${TokenState} token=${token} />`],
        ["It may", scope(token.scope)],
        ["Ends", html`<${Time} at=${token.expires_at} none="Never" exact />`],
      ]} />`}<//>
    <//>
    <${Card} title="All tokens">
      <${Loaded} of=${tokens}>${(rows) => (rows.length
        ? html`<${Table} label="Tokens" rows=${rows} dim=${(token) => token.disabled_at || token.replaced_by}
            columns=${tokenColumns({ act: (what, token) => act({ what, token }), can: ["revoke"] })} />`
        : html`<${Empty} icon="key" title="No other tokens">Create one for each program.<//>`)}<//>
    <//>
    <${TokenDialog} open=${open} close=${() => act(null)} api=${api} changed=${changed} graces=${GRACES}
      ends=${ENDS} />`;
}
