// Plots as SVG text: lines with a band around them, and marks with whiskers. No script, no style sheet from elsewhere.

const WIDTH = 860;
const HEIGHT = 260;
const LEFT = 60;
const BOTTOM = 30;
/** Distinct for most eyes (Okabe and Ito 2008). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#8c6d1f'];

const colorOf = (index: number): string => COLORS[index % COLORS.length]!;

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Low and high at the same x as the points; null for none. */
  readonly band: readonly (readonly [low: number, high: number])[] | null;
}

export interface Axis {
  readonly title: string;
  /** Values that get a tick, in order; the first and last are the ends. */
  readonly ticks: readonly (readonly [value: number, text: string])[];
  readonly log: boolean;
}

/** Lines over a common x, with a legend under them. */
export function linePlot(title: string, x: Axis, y: Axis, lines: readonly Line[]): string {
  const atX = scale(x, LEFT, WIDTH - 10);
  const atY = scale(y, HEIGHT - BOTTOM, 20);
  const path = (points: readonly (readonly [number, number])[]): string =>
    points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${atX(px).toFixed(1)} ${atY(py).toFixed(1)}`).join('');
  const drawn = lines.map(({ points, band }, i) => {
    const shade =
      band === null
        ? ''
        : `<path d="${path([
            ...points.map(([px], j) => [px, band[j]![1]] as const),
            ...points.map(([px], j) => [px, band[j]![0]] as const).reverse(),
          ])}Z" fill="${colorOf(i)}" opacity="0.15"/>`;
    return `${shade}<path d="${path(points)}" fill="none" stroke="${colorOf(i)}" stroke-width="1.5"/>`;
  });
  return figure(title, `${axes(x, y, atX, atY)}${drawn.join('')}`, lines);
}

function scale({ ticks, log }: Axis, from: number, to: number): (value: number) => number {
  const of = log ? (value: number) => Math.log(Math.max(value, 1e-9)) : (value: number) => value;
  const low = of(ticks[0]![0]);
  const high = of(ticks.at(-1)![0]);
  return value => {
    const share = high > low ? (of(value) - low) / (high - low) : 0;
    return from + (to - from) * Math.min(1, Math.max(0, share));
  };
}

function axes(x: Axis, y: Axis, atX: (v: number) => number, atY: (v: number) => number): string {
  const low = HEIGHT - BOTTOM;
  const across = x.ticks.map(
    ([value, text]) =>
      `<path d="M${atX(value)} 20V${low}" stroke="#ddd"/><text x="${atX(value)}" y="${low + 14}" text-anchor="middle">${escaped(text)}</text>`,
  );
  const up = y.ticks.map(
    ([value, text]) =>
      `<path d="M${LEFT} ${atY(value)}H${WIDTH - 10}" stroke="#ddd"/><text x="${LEFT - 6}" y="${atY(value) + 4}" text-anchor="end">${escaped(text)}</text>`,
  );
  return `${across.join('')}${up.join('')}<text x="${WIDTH - 10}" y="${HEIGHT - 2}" text-anchor="end">${escaped(x.title)}</text><text x="4" y="12">${escaped(y.title)}</text>`;
}

function figure(title: string, body: string, lines: readonly Line[]): string {
  const legend = lines
    .map(({ name }, i) => `<span><i style="background:${colorOf(i)}"></i>${escaped(name)}</span>`)
    .join(' ');
  return `<figure><figcaption>${escaped(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${body}</svg><p class="legend">${legend}</p></figure>`;
}

/** Round ticks from 0 to at least `most`. */
export function ticksTo(most: number): [number, string][] {
  const rough = Math.max(most, 1e-6) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5, 10].find(factor => factor * unit >= rough) ?? 10);
  return Array.from({ length: 6 }, (_, i) => i * step)
    .filter((_, i, all) => i === 0 || all[i - 1]! < most)
    .map(value => [value, String(Number(value.toPrecision(3)))]);
}
