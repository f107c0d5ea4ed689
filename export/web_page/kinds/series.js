// Forecasts of a table: a CSV file or pasted rows, a chart with the band, a table to take along.
import {build, copies, make} from './elements.js';
import {Forecaster, text} from '../forecaster.js';

const HTML = `
<section>
<label>A CSV file <input data-part="file" type="file" accept=".csv,.txt,text/csv"></label>
<label>or its rows, with their heads
<textarea data-part="source" rows="8" spellcheck="false" wrap="off"></textarea></label>
<p class="note" data-part="hint"></p>
<p class="cut" data-part="problem" role="alert" hidden></p>
</section>
<section>
<label>Series <select data-part="series"></select></label>
<div data-part="chart" class="chart"></div>
<p class="note" data-part="facts"></p>
</section>
<section class="wide">
<h2>Forecast</h2>
<div class="scroll"><table data-part="table"></table></div>
<button data-part="copy" type="button" disabled>Copy as CSV</button>
</section>`;

export async function mount(panel, model, facts) {
  const forecaster = new Forecaster(model, facts), part = build(panel, HTML);
  part.hint.textContent = `The last ${facts.window} rows are read (${[facts.time, ...facts.columns].join(', ')}); the ${facts.horizon} `
      + 'after them are forecast.';
  part.series.replaceChildren(...facts.targets.map(name => make('option', name)));
  let found = null;
  const draw = () => {
    part.chart.replaceChildren(...(found ? [chart(found, facts.targets.indexOf(part.series.value), facts)] : []));
  };
  const work = async () => {
    part.problem.hidden = true;
    found = null;
    if (part.source.value.trim()) {
      try {
        const begun = performance.now();
        found = await forecaster.forecast(part.source.value);
        part.facts.textContent = `${found.repaired ? `${found.repaired} missing values filled · ` : ''}`
            + `${(performance.now() - begun).toFixed(1)} ms`;
      } catch (error) {
        part.problem.textContent = error.message;
        part.problem.hidden = false;
      }
    }
    if (!found) part.facts.textContent = '';
    part.copy.disabled = !found;
    draw();
    part.table.replaceChildren(...(found ? rows(found, facts) : []));
    document.body.dataset.shown = part.source.value;
  };
  part.source.addEventListener('input', work);
  part.series.addEventListener('change', draw);
  part.file.addEventListener('change', async () => {
    part.source.value = await part.file.files[0]?.text() ?? '';
    await work();
  });
  copies(part.copy, () => forecaster.csv(found));
}

function rows(found, facts) {
  const cells = (name, values) => make('tr', '', ...values.map(value => make(name, value)));
  const [head, ...body] = found.rows;
  return [make('thead', '', cells('th', head)), make('tbody', '', ...body.map(row => cells('td', row)))];
}

/** An SVG of one series: what was, the line ahead, and its band. */
function chart(found, place, facts) {
  const width = 480, height = 260, left = 52, bottom = 28, top = 10;
  const past = found.past[place], line = found.lines[0].map(row => row[place]);
  const others = found.lines.slice(1).map(rows => rows.map(row => row[place]));
  const low = line.map((value, i) => Math.min(value, ...others.map(other => other[i])));
  const high = line.map((value, i) => Math.max(value, ...others.map(other => other[i])));
  const all = [...past, ...low, ...high], least = Math.min(...all), most = Math.max(...all), span = most - least || 1;
  const x = i => left + (width - left - 10) * i / (past.length + line.length - 1);
  const y = value => top + (height - top - bottom) * (1 - (value - least) / span);
  const points = (values, first) => values.map((value, i) => `${x(first + i).toFixed(1)},${y(value).toFixed(1)}`);
  const from = past.length - 1, ahead = values => [past[from], ...values];
  const levels = [0, 1, 2, 3, 4].map(i => least + span * i / 4);
  const name = facts.targets[place];
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${name}: ${past.length} steps that were and ${line.length} ahead, from ${text(line[0])} to `
      + text(line.at(-1)));
  svg.innerHTML = levels.map(value => `<line class="grid" x1="${left}" x2="${width - 10}" y1="${y(value)}" y2="${y(value)}"/>
      <text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${text(value, 4)}</text>`).join('')
      + (others.length ? `<polygon class="band" points="${[...points(ahead(low), from), ...points(ahead(high), from).reverse()].join(' ')}"/>` : '')
      + `<polyline class="past" points="${points(past, 0).join(' ')}"/>
      <polyline class="ahead" points="${points(ahead(line), from).join(' ')}"/>
      <line class="grid" x1="${x(from)}" x2="${x(from)}" y1="${top}" y2="${height - bottom}"/>
      <text x="${left}" y="${height - 8}">${found.times[0]}</text>
      <text x="${width - 10}" y="${height - 8}" text-anchor="end">${found.times.at(-1)}</text>`;
  return svg;
}
