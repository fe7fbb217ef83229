// PEM text (RFC 7468) into its blocks. Strict about the blocks themselves: a boundary that does not fit is an error and
// not the end of reading, because a bundle that is cut short would otherwise pass as a shorter bundle. Text between blocks
// is allowed, as the RFC has it. Errors count blocks and lines and never quote what stands in them.

/** One block: `label` is what stands after BEGIN, `pem` the block alone in 64-character lines, ended by a line feed. */
export interface PemBlock {
  readonly label: string;
  readonly pem: string;
  /** True: an old-style encrypted key (`Proc-Type: 4,ENCRYPTED`); `pem` is of no use without its headers. */
  readonly encrypted: boolean;
}

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----$/;
const BASE64_LINE = /^[A-Za-z0-9+/]*={0,2}$/;

/** The blocks in order; or `error`, one sentence without the content. Text without any block gives an empty list. */
export function readPem(text: string): { readonly blocks: readonly PemBlock[] } | { readonly error: string } {
  const blocks: PemBlock[] = [];
  let open: { label: string; body: string[]; encrypted: boolean; since: number } | undefined;
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = raw.trim();
    const boundary = BOUNDARY.exec(line);
    const error = (what: string): { error: string } => ({ error: `line ${index + 1} ${what}` });
    if (boundary === null) {
      if (line.includes('-----')) return error('holds a damaged BEGIN or END boundary; each must stand alone on its line');
      if (open === undefined || line === '') continue;
      if (/^Proc-Type:.*ENCRYPTED/.test(line)) open.encrypted = true;
      else if (line.includes(':')) continue;
      else if (!BASE64_LINE.test(line)) return error(`of the ${open.label} block holds a character that is not base64`);
      else open.body.push(line);
      continue;
    }
    const [, side, label = ''] = boundary;
    if (side === 'BEGIN') {
      if (open !== undefined) return error(`begins another block before the ${open.label} block of line ${open.since} has ended`);
      open = { label, body: [], encrypted: false, since: index + 1 };
      continue;
    }
    if (open === undefined || open.label !== label) return error(`ends a ${label} block that did not begin`);
    blocks.push({ label, pem: armour(label, open.body.join('')), encrypted: open.encrypted });
    open = undefined;
  }
  if (open !== undefined) return { error: `the ${open.label} block that begins on line ${open.since} has no end` };
  return { blocks };
}

function armour(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
