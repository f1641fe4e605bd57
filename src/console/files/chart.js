// Bar charts by day as inline SVG, with axes and values, and the same figures as a table behind them.

import { html, useEffect, useRef, useState } from "./preact.js";
import { day, dayBefore, number } from "./format.js";
import { Skeleton } from "./parts.js";
import { Table } from "./table.js";

const HEIGHT = 200;
const MARGIN = { top: 12, right: 4, bottom: 26, left: 44 };

/// One value for each of the last `days`, where what is missing is 0.
export function byDay(rows, member, days = 30) {
  const values = new Map(rows.map((row) => [row.day, row[member]]));
  return Array.from({ length: days }, (_, index) => {
    const name = dayBefore(days - 1 - index);
    return { day: name, value: values.get(name) ?? 0 };
  });
}

/// The steps of an axis that holds `most`: round figures, whole ones where whole things are counted.
function axis(most, areWhole) {
  if (most <= 0) return [0, 1];
  const rough = Math.max(most / 4, areWhole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/// `points` are {day, value}; null while they load.
export function Chart({ title, points, unit }) {
  if (!points) return html`<${Skeleton} kind="chart" lines=${1} />`;
  return html`<${Figure} title=${title} points=${points} unit=${unit} />`;
}

function Figure({ title, points, unit }) {
  const [box, width] = useWidth();
  const [chosen, choose] = useState(null);
  const total = points.reduce((sum, point) => sum + point.value, 0);
  const most = points.reduce((best, point) => (point.value > best.value ? point : best), points[0]);
  const about = `${title} by day, ${day(points[0].day)} to ${day(points.at(-1).day)}: ${number(total)} ${unit} in all` +
    (total ? `, most on ${day(most.day)} (${number(most.value)})` : "");
  const shown = chosen === null ? null : points[chosen];
  const said = (shown ? shown.value : total) === 1 ? unit.slice(0, -1) : unit;
  const span = shown ? `on ${day(shown.day)}` : `in ${points.length} days`;
  return html`<figure class="chart">
    <figcaption>
      <span class="chart-value">${number(shown ? shown.value : total)}</span>
      <span class="faint">${said} ${span}</span>
    </figcaption>
    <div ref=${box} class="plot">${width > 0 && html`<${Bars} points=${points} width=${width}
      about=${about} chosen=${chosen} choose=${choose} />`}</div>
    <details><summary>Show as a table</summary>
      <${Table} label="${title} by day" keyOf=${(point) => point.day} rows=${[...points].reverse()} columns=${[
        { head: "Day", cell: (point) => point.day, kind: "main" },
        { head: unit, cell: (point) => number(point.value), kind: "num" },
      ]} />
    </details>
  </figure>`;
}

function Bars({ points, width, about, chosen, choose }) {
  const values = points.map((point) => point.value);
  const steps = axis(Math.max(...values), values.every(Number.isInteger));
  const top = steps.at(-1);
  const [inner, tall] = [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const slot = inner / points.length;
  const bar = Math.max(2, Math.min(28, slot * 0.68));
  const x = (index) => MARGIN.left + slot * index + slot / 2;
  const y = (value) => MARGIN.top + tall - (value / top) * tall;
  const every = Math.ceil(points.length / Math.max(2, Math.floor(inner / 84)));
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const from = chosen ?? (step > 0 ? -1 : points.length);
    choose(Math.min(points.length - 1, Math.max(0, from + step)));
  };
  return html`<svg width=${width} height=${HEIGHT} role="img" aria-label=${about} tabindex="0"
    onKeyDown=${move} onBlur=${() => choose(null)} onMouseLeave=${() => choose(null)}>
    ${steps.map((step) => html`<g>
      <line class="grid" x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${y(step)} y2=${y(step)} />
      <text class="tick" x=${MARGIN.left - 8} y=${y(step) + 4} text-anchor="end">${short(step)}</text>
    </g>`)}
    ${points.map((point, index) => html`<g onMouseEnter=${() => choose(index)}>
      <rect class="hit" x=${x(index) - slot / 2} y=${MARGIN.top} width=${slot} height=${tall} />
      <rect class=${index === chosen ? "bar chosen" : "bar"} x=${x(index) - bar / 2} width=${bar} rx="2"
        y=${point.value ? Math.min(y(point.value), y(0) - 2) : y(0)} height=${point.value ? Math.max(2, y(0) - y(point.value)) : 0} />
      ${(points.length - 1 - index) % every === 0 && html`<text class="tick" y=${HEIGHT - 6}
        x=${index === points.length - 1 ? width - MARGIN.right : x(index)}
        text-anchor=${index === points.length - 1 ? "end" : "middle"}>${day(point.day)}</text>`}
    </g>`)}
  </svg>`;
}

/// 12,000 as 12k, so that the axis stays narrow.
function short(value) {
  if (value >= 1e6) return `${number(value / 1e6)}M`;
  return value >= 10_000 ? `${number(value / 1000)}k` : number(value);
}

/// The width of an element as it is laid out.
function useWidth() {
  const box = useRef(null);
  const [width, set] = useState(0);
  useEffect(() => {
    set(box.current.clientWidth);
    const watch = new ResizeObserver(([entry]) => set(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}
