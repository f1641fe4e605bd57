// Tables. On a phone each row is a card, and each cell says the name of its column.

import { html } from "./preact.js";
import { Button, Note, Skeleton } from "./parts.js";

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

/// A table of what [`usePages`] loads: skeleton, error, `empty`, rows and "Show more".
export function PagedTable({ of, empty, lines = 6, ...table }) {
  if (!of.rows) {
    return of.error
      ? html`<${Note} again=${of.reload}>${of.error.message}<//>`
      : html`<${Skeleton} lines=${lines} kind="rows" />`;
  }
  if (!of.rows.length) return empty;
  return html`<div class=${of.isLoading ? "is-loading" : ""}>
    <${Table} ...${table} rows=${of.rows} />
    ${of.more && html`<div class="more"><${Button} busy=${of.isLoadingMore} onClick=${of.more}>Show more<//></div>`}
  </div>`;
}
