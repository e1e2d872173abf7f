/**
 * Message ids, without their brackets and with quotes that mean nothing taken off, so that equal ids are equal strings.
 * Source: RFC 5322 §3.6.4, RFC 5256 (THREAD=REFERENCES step 1). Raw text.
 */
import { LIMITS } from '../base/limits.ts';
import { unfold } from './header.ts';
import { commentEnd } from './parameter.ts';

const ID_OCTETS_MAX = 998;
const ID_STOP = /[<>"]/g;

/** All ids of a field, in order, each once. What is not in brackets is skipped, as are comments and quoted phrases. */
export function parseMessageIds(raw: string, idsMax: number = LIMITS.referencesMax): readonly string[] {
  const text = unfold(raw);
  const ids = new Set<string>();
  let at = Math.max(0, text.search(/[<("]/));
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x28) {
      at = commentEnd(text, at);
    } else if (code === 0x22) {
      at = quotedEnd(text, at);
    } else if (code === 0x3c) {
      const end = idEnd(text, at);
      const id = normalise(text.slice(at + 1, end));
      if (id !== undefined) ids.add(id);
      at = end + 1;
    } else {
      at += 1;
    }
  }
  const all = [...ids];
  if (all.length <= idsMax) return all;
  // The first says which thread, the latest where in it.
  return [...all.slice(0, 1), ...all.slice(all.length - idsMax + 1)];
}

/** The one id of a Message-ID field. One without brackets is taken as it is, as all servers do. */
export function parseMessageId(raw: string): string | undefined {
  const [first] = parseMessageIds(raw);
  if (first !== undefined) return first;
  const text = unfold(raw);
  return /^[^\t-\r <>()"]+$/.test(text) ? normalise(text) : undefined;
}

function quotedEnd(text: string, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The closing bracket, or the end of what comes before another opening one, or the end of all. */
function idEnd(text: string, open: number): number {
  ID_STOP.lastIndex = open + 1;
  for (;;) {
    const at = ID_STOP.exec(text)?.index;
    if (at === undefined) return text.length;
    const code = text.charCodeAt(at);
    if (code === 0x3e) return at;
    if (code === 0x3c) return at - 1;
    ID_STOP.lastIndex = quotedEnd(text, at);
  }
}

function normalise(text: string): string | undefined {
  const plain = /["\t-\r \\]/.test(text) ? text.replace(/\\(.)/g, '$1').replace(/["\t-\r ]+/g, '') : text;
  return plain === '' || plain.length > ID_OCTETS_MAX ? undefined : plain;
}
