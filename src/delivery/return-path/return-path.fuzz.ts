/** Any octets as a tagged address: nothing throws, what is rewritten is undone, and nothing is undone that was not rewritten. */
import { formatEnvelopeAddress, parseEnvelopeAddress } from '../../smtp/wire/path.ts';
import { decodeSrs, encodeSrs, isSrs } from './srs.ts';
import { decodeVerp, encodeVerp } from './verp.ts';

export const covers: RegExp = /\/src\/delivery\/return-path\/(srs|verp)\.ts$/;

export const seeds: readonly Uint8Array[] = [
  'alice@example.org',
  'SRS0=WYSD=JS=example.org=alice@ours.example',
  'srs0+wysd=js=example.org=alice@ours.example',
  'SRS1=1MHj=first.example==HHHH=TT=orig.example=joe@ours.example',
  '"SRS0=a=AB=c d=e"@ours.example',
  'user=far.example',
  'jörg@müller.example',
].map((text) => Buffer.from(text));

const NOW_MS = Date.UTC(2026, 10, 29, 12);
const SETTINGS = { secrets: ['our-very-own-secret'], hashCharacters: 4, ageDaysMax: 21 };
const OTHERS = { ...SETTINGS, secrets: ['a-secret-of-another-host'] };

export function fuzz(octets: Uint8Array): void {
  const text = Buffer.from(octets).toString('utf8');
  decodeVerp(text);
  const decoded = decodeSrs(text, SETTINGS, NOW_MS);
  if ((decoded !== undefined) !== isSrs(text)) throw new Error('the form and the decoder disagree');
  const path = parseEnvelopeAddress(text);
  const normal = path === undefined ? undefined : formatEnvelopeAddress(path);
  for (const at of ['=', '-', '+'])
    if (parseEnvelopeAddress(encodeVerp('owner@here.example', text, '-', at) ?? 'a@b') === undefined)
      throw new Error('no address');
  const tagged = encodeVerp('owner@here.example', text, '+');
  if (tagged !== undefined && parseEnvelopeAddress(tagged) === undefined) throw new Error('no address');
  const made = encodeSrs(text, 'ours.example', SETTINGS, NOW_MS);
  if (made === undefined) return;
  if (normal === undefined) throw new Error('what is no address was rewritten');
  if (decodeSrs(made, OTHERS, NOW_MS)?.kind !== 'bad-hash') throw new Error("another's secret proves it");
  const back = decodeSrs(made, SETTINGS, NOW_MS);
  if (back?.kind !== 'address') throw new Error('what was rewritten is not undone');
  // An SRS1 address leads to its first host instead; the letters of SRS0 come back as capitals.
  if (path === undefined || /^SRS1/i.test(path.localPart)) return;
  if (back.address.toLowerCase() !== normal.toLowerCase()) throw new Error('another address came back');
}
