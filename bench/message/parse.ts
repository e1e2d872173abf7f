/**
 * Megabytes of mail read per second of CPU: scan and digest (tree, envelope, body structure, preview, keys), beside
 * postal-mime on the same messages in the same run. Large mail is scanned in chunks of 64 KiB, as it comes from a
 * socket. Targets: 150 MB of 12 KB multipart mail, 600 MB of large attachments. `--json` prints one object.
 *
 * postal-mime also decodes every part into memory, which is its purpose; a mail server must not.
 */
import PostalMime from 'postal-mime';
import { digestMessage } from '../../src/message/digest.ts';
import { createScanner, scanMessage } from '../../src/message/scan.ts';
import { largeMail, smallMail } from './corpus.ts';

const CHUNK_OCTETS = 65_536;
const WARM_MS = 1500;
const MEASURE_MS = 2000;

type Row = {
  readonly corpus: string;
  readonly parser: string;
  readonly megabytesPerCpuSecond: number;
};

const small = Array.from({ length: 256 }, (_, seed) => smallMail(seed));
const large = [largeMail(1, 5_000_000), largeMail(2, 20_000_000)];

/** Digests are looked at, so that none of the work can be left out. */
let seen = 0;

function whole(message: Buffer): void {
  seen += digestMessage(scanMessage(message)).bodyStructure.length;
}

function chunked(message: Buffer): void {
  const scanner = createScanner();
  for (let at = 0; at < message.length; at += CHUNK_OCTETS)
    scanner.push(message.subarray(at, at + CHUNK_OCTETS));
  seen += digestMessage(scanner.end()).bodyStructure.length;
}

async function postalMime(message: Buffer): Promise<void> {
  seen += (await PostalMime.parse(message)).attachments.length;
}

async function measure(
  corpus: string,
  parser: string,
  messages: readonly Buffer[],
  parse: (message: Buffer) => void | Promise<void>,
): Promise<Row> {
  // Until the compiler has seen it all.
  const warm = performance.now() + WARM_MS;
  while (performance.now() < warm) for (const message of messages) await parse(message);
  const octetsAtOnce = messages.reduce((sum, message) => sum + message.length, 0);
  const start = process.cpuUsage();
  const end = performance.now() + MEASURE_MS;
  let octets = 0;
  while (performance.now() < end) {
    for (const message of messages) {
      const done = parse(message);
      if (done !== undefined) await done;
    }
    octets += octetsAtOnce;
  }
  const used = process.cpuUsage(start);
  return { corpus, parser, megabytesPerCpuSecond: octets / (used.user + used.system) };
}

const smallSize = Math.round(small.reduce((sum, message) => sum + message.length, 0) / small.length);
const smallName = `multipart, ${smallSize} octets`;
const largeName = 'attachments of 5 and 20 MB';
const rows = [
  await measure(smallName, 'postrider', small, whole),
  await measure(smallName, 'postrider, in chunks', small, chunked),
  await measure(smallName, 'postal-mime', small, postalMime),
  await measure(largeName, 'postrider, in chunks', large, chunked),
  await measure(largeName, 'postrider', large, whole),
  await measure(largeName, 'postal-mime', large, postalMime),
];
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ rows, seen: seen > 0 }));
} else {
  for (const { corpus, parser, megabytesPerCpuSecond } of rows) {
    const other = rows.find((row) => row.corpus === corpus && row.parser === 'postal-mime');
    const ratio = megabytesPerCpuSecond / (other?.megabytesPerCpuSecond ?? Number.NaN);
    console.log(
      `${corpus.padEnd(28)} ${parser.padEnd(22)} ${megabytesPerCpuSecond.toFixed(0).padStart(6)} MB per CPU-second  ${ratio.toFixed(1)}×`,
    );
  }
}
