// The table that is read first: what Fairlead's CPU per request is of each peer's, in every case, and what it may be at most.
import { PEER_NAMES } from '../peers/peer.ts';
import { against } from './stats.ts';
import type { Section } from './table.ts';

/** Cases without ratios are passed over. */
export function summary(sections: readonly Section[]): Section {
  const others = PEER_NAMES.filter((name) => name !== 'fairlead');
  const rows = sections.filter(({ ratios }) => ratios.length > 0).map(({ title, ratios }) => [title, ...others.map((name) => {
    const ratio = ratios.find(({ to }) => to === name);
    return against(ratio?.value, ratio?.limit);
  })]);
  return { name: 'summary', title: "Fairlead's CPU per request, as a multiple of each peer's", header: ['case', ...others.map((name) => `× ${name}`)], rows, notes: [], ratios: [], bars: [] };
}
