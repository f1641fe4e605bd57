// Tables. On a phone each row is a card, and each cell says the name of its column.

import { html } from "./preact.js";
import { Button, Empty, Failed, Skeleton, Time } from "./parts.js";

/// `columns` are {head, cell(row), kind}: kind is "" (text), "num" (figures), "main" (what the row
/// is) or "act" (buttons).
export function Table({ label, columns, rows, keyOf = (row) => row.id, dim }) {
  return html`<div class="table" role="region" aria-label=${label} tabindex="0"><table>
    <caption>${label}</caption>
    <thead><tr>${columns.map(({ head, kind }) => html`<th scope="col" class=${kind}>${
      kind === "act" ? html`<span class="unseen">${head}</span>` : head}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${keyOf(row)} class=${dim?.(row) ? "dim" : ""}>
      ${columns.map(({ head, cell, kind }) => html`<td class=${kind} data-label=${head}>${cell(row)}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

/// What [`usePages`] loads: skeleton, error, `empty`, `children(rows)` and "Show more".
export function Paged({ of, empty, lines = 6, children }) {
  const { rows, more } = of;
  if (!rows && of.error) return html`<${Failed} of=${of} />`;
  if (!rows || (!rows.length && of.isOther)) return html`<${Skeleton} lines=${lines} kind="rows" />`;
  const again = (name) => html`<${Button} busy=${of.isLoadingMore} onClick=${more}>${name}<//>`;
  if (!rows.length) {
    return html`<${Failed} of=${of} />${more ? html`<${Empty} icon="search" title="Nothing so far"
      action=${again("Look further")}>The server looks through a part at a time, and there are more.<//>` : empty}`;
  }
  return html`<${Failed} of=${of} /><div class=${of.isLoading ? "is-loading" : ""}>
    ${children(rows)}
    ${of.isHeld && html`<p class="hint">As of <${Time} at=${of.at} exact />: so long a list is not refreshed by
      itself. <${Button} kind="small" onClick=${of.reload}>Refresh<//></p>`}
    ${more && html`<div class="more">${again("Show more")}</div>`}
  </div>`;
}

/// The same as a table.
export const PagedTable = ({ of, empty, lines, ...table }) => html`
  <${Paged} of=${of} empty=${empty} lines=${lines}>${(rows) => html`<${Table} ...${table} rows=${rows} />`}<//>`;
