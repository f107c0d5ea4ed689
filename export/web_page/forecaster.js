// A table of series in, the steps after its end out, on a phone file. Used by the page and by the Node test alike.

export class Forecaster {
  /**
   * @param model a Model
   * @param facts {time, columns, targets, window, horizon, step, dated, calendar, regular, fill}, as page.json has them
   */
  constructor(model, facts) {
    this.model = model;
    this.facts = facts;
  }

  /** CSV -> {past, lines, levels, times, rows, repaired}: past [F'][W] values, lines [K][H][F'], rows as `csv` writes them. */
  async forecast(csv) {
    const {facts} = this, {times, values, repaired} = this.read(csv);
    const given = {values: Float32Array.from(values.flat())};
    if (facts.calendar) given.time = Int32Array.from(times, time => Math.floor(time / 60));
    const found = await this.model.run('forecast', given);
    const many = facts.targets.length, levels = [...found.level];
    const lines = levels.map((_, k) => Array.from({length: facts.horizon}, (_, h) =>
        Array.from({length: many}, (_, f) => found.values[(k * facts.horizon + h) * many + f])));
    const ahead = Array.from({length: facts.horizon}, (_, h) => times.at(-1) + facts.step * (h + 1));
    const past = facts.targets.map(name => values.map(row => row[facts.columns.indexOf(name)]));
    const order = levels.map((_, k) => k).sort((a, b) => levels[a] - levels[b]);
    const alone = levels.length === 1;
    const head = [facts.time, ...facts.targets.flatMap(name => order.map(k => alone ? name : `${name}@${text(levels[k], 6)}`))];
    const rows = ahead.map((time, h) => [this.shown(time), ...facts.targets.flatMap((_, f) => order.map(k => text(lines[k][h][f])))]);
    return {past, lines, levels, repaired, times: [...times, ...ahead].map(time => this.shown(time)), rows: [head, ...rows]};
  }

  /** The last window of a CSV: times (seconds since 1970, or numbers) and values [W][F]. Throws what is wrong with it. */
  read(csv) {
    const {facts} = this, lines = csv.replace(/^\ufeff/, '').split(/\r?\n/).filter(line => line.trim());
    const separator = [',', ';', '\t'].reduce((best, sign) => lines[0].split(sign).length > lines[0].split(best).length ? sign : best);
    const cells = line => line.split(separator).map(cell => cell.trim().replace(/^"(.*)"$/, '$1'));
    const heads = cells(lines[0]), wanted = [facts.time, ...facts.columns], places = wanted.map(name => heads.indexOf(name));
    const missing = wanted.filter((_, i) => places[i] < 0);
    if (missing.length) throw new Error(`The first row must name the columns ${wanted.join(', ')}; there is no ${missing.join(', ')}.`);
    if (lines.length - 1 < facts.window) {
      throw new Error(`A forecast reads ${facts.window} rows; there are ${lines.length - 1}. Give a longer file.`);
    }
    const times = [], values = [];
    let repaired = 0;
    const first = Math.max(1, lines.length - facts.window - facts.fill);  // a little earlier, for values that are missing
    const gaps = facts.columns.map(() => 0);
    for (let number = first; number < lines.length; number++) {
      const row = cells(lines[number]), time = this.time(row[places[0]], number + 1), before = times.at(-1);
      if (before !== undefined && (facts.regular ? Math.abs(time - before - facts.step) > 0.01 * facts.step : time <= before)) {
        throw new Error(`Row ${number + 1}: a row must follow the one before it by ${facts.regular ? `${facts.step}${facts.dated ? ' seconds' : ''}`
            : 'some time'}; ${row[places[0]]} does not. Sort the rows, or resample them.`);
      }
      times.push(time);
      values.push(facts.columns.map((name, f) => {
        const cell = row[places[f + 1]] ?? '', value = Number(cell);
        if (cell !== '' && Number.isFinite(value)) {
          gaps[f] = 0;
          return value;
        }
        const last = values.at(-1)?.[f];
        if (cell !== '' && !/^(nan|na|null|none|-)$/i.test(cell)) throw new Error(`Row ${number + 1}: ${name} must be a number; it is ${cell}.`);
        if (last === undefined || ++gaps[f] > facts.fill) {
          if (number >= lines.length - facts.window) throw new Error(`Row ${number + 1}: ${name} misses its value. Fill it in.`);
          return undefined;
        }
        repaired += number >= lines.length - facts.window;
        return last;
      }));
    }
    return {times: times.slice(-facts.window), values: values.slice(-facts.window), repaired};
  }

  /** A time as it is written -> seconds since 1970 UTC, or a number. */
  time(cell, row) {
    const time = this.facts.dated ? Date.parse(cell.replace(' ', 'T').replace(/^(\d{4}-\d\d-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?)$/, (_, iso, clock, minutes) =>
        clock ? `${iso}${minutes ? '' : ':00'}Z` : `${iso}T00:00Z`)) / 1000 : Number(cell || NaN);
    if (!Number.isFinite(time)) throw new Error(`Row ${row}: ${this.facts.time} must be ${this.facts.dated ? 'a time such as 2024-01-31 14:00' : 'a number'}; it is ${cell || 'empty'}.`);
    return time;
  }

  /** A time as `keras-s2s forecast` writes it. */
  shown(time) {
    return this.facts.dated ? new Date(1000 * time).toISOString().replace('T', ' ').replace(/\.000Z$/, '').replace('Z', '') : text(time, 12);
  }

  /** The forecast as a CSV. */
  csv(found) {
    return found.rows.map(row => row.join(',')).join('\n') + '\n';
  }
}

/** A number in so many digits. */
export function text(value, digits = 6) {
  return String(Number(value.toPrecision(digits)));
}
