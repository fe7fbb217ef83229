// A flame graph as one SVG file that any browser shows: calls from the bottom up, width is time, a tooltip says how much.
// Green is Fairlead, blue its libraries, yellow Node, grey what is not JavaScript.
import type { Frame } from './cpu-profile.ts';

const WIDTH = 1600;
const ROW = 17;
/** Narrower boxes are left out. */
const NARROWEST = 0.4;
const LETTER = 6.4;

export function flameGraph(root: Frame, title: string): string {
  const boxes: string[] = [];
  let deepest = 0;
  const draw = (at: Frame, x: number, depth: number): void => {
    const width = (at.total / root.total) * WIDTH;
    if (width < NARROWEST) return;
    deepest = Math.max(deepest, depth);
    const label = width < 4 * LETTER ? '' : escape(at.name.slice(0, Math.floor(width / LETTER)));
    const share = ((at.total / root.total) * 100).toFixed(1);
    const own = ((at.self / root.total) * 100).toFixed(1);
    const y = -(depth + 1) * ROW;
    boxes.push(`<g><title>${escape(`${at.name} ${at.place} – ${share} %, itself ${own} %`)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour(at)}"/><text x="${(x + 2).toFixed(1)}" y="${y + 12}">${label}</text></g>`);
    for (const next of [...at.children.values()].sort((a, b) => b.total - a.total)) {
      draw(next, x, depth + 1);
      x += (next.total / root.total) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (deepest + 1) * ROW + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fff"/><text x="4" y="15">${escape(title)}</text>
<g transform="translate(0 ${height})">
${boxes.join('\n')}
</g></svg>
`;
}

function colour({ place, name }: Frame): string {
  if (place === '') return name === '(garbage collector)' ? '#e08a7a' : '#c9c9c9';
  if (place.startsWith('node_modules')) return '#9dc3e6';
  return place.startsWith('node:') ? '#f2d98b' : '#9bd49b';
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
