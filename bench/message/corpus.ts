/** Mail made from a seed, the same on every machine: what people send in multiparts of 12 KB, and large attachments. */

const WORDS = (
  'the mail office keeps letters and sends them onward when a road is open and a name is known for every house there ' +
  'waits one box with a key invoice meeting tomorrow please find attached our schedule regards thanks project update'
).split(' ');

/** A small generator of numbers below 2^32; the seed decides them all. */
export function createSeeded(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Next = (below: number) => number;

function sentence(next: Next, words: number): string {
  return Array.from({ length: words }, () => WORDS[next(WORDS.length)] ?? '').join(' ');
}

function textBody(next: Next, octets: number): string {
  let out = '';
  while (out.length < octets)
    out += `${sentence(next, 8 + next(4))}${next(6) === 0 ? ' =E2=82=AC 12=2C50' : ''}.\r\n`;
  return out;
}

function htmlBody(next: Next, octets: number): string {
  let out = '<html><head><style>p { margin: 0; color: #222 }</style></head><body>\r\n';
  while (out.length < octets) {
    out += `<p class=3D"line">${sentence(next, 7)} <a href=3D"https://example.org/=\r\n${next(99_999)}">${sentence(next, 2)}</a></p>\r\n`;
  }
  return `${out}</body></html>\r\n`;
}

function base64Body(next: Next, octets: number): string {
  const raw = Buffer.alloc(Math.floor((octets * 57) / 78));
  for (let at = 0; at < raw.length; at += 1) raw[at] = next(256);
  return raw.toString('base64').replace(/.{76}/g, '$&\r\n');
}

function header(next: Next, contentType: string): string {
  const id = next(1e9);
  const trace = Array.from(
    { length: 4 },
    (_, hop) =>
      `Received: from mx${hop}.example.net (mx${hop}.example.net [192.0.2.${hop + 1}])\r\n` +
      `\tby in${hop}.example.org (Postfix) with ESMTPS id ${id.toString(36)}${hop}\r\n` +
      `\tfor <bob@example.org>; Mon, ${1 + next(27)} Jun 2026 10:${10 + next(49)}:00 +0200 (CEST)\r\n`,
  ).join('');
  return (
    `Return-Path: <alice@example.net>\r\n${trace}` +
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=2026;\r\n' +
    `\th=from:to:subject:date:message-id; bh=${'A'.repeat(43)}=;\r\n\tb=${'B'.repeat(70)}\r\n\t ${'C'.repeat(70)}\r\n` +
    `From: "Alice ${sentence(next, 1)}" <alice@example.net>\r\n` +
    `To: Bob <bob@example.org>, "Carol, Ltd." <carol@example.com>\r\n` +
    `Cc: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\n` +
    `Subject: Re: [list] ${sentence(next, 5)} =?utf-8?q?=E2=9C=93?=\r\n` +
    `Date: Mon, ${1 + next(27)} Jun 2026 09:${10 + next(49)}:12 +0200\r\n` +
    `Message-ID: <${id}.1@example.net>\r\nIn-Reply-To: <${id}.0@example.org>\r\n` +
    `References: <${id}.a@example.org> <${id}.b@example.org>\r\n <${id}.0@example.org>\r\n` +
    `MIME-Version: 1.0\r\nContent-Type: ${contentType}\r\nX-Mailer: Example 12.3\r\n\r\n`
  );
}

/** multipart/mixed of multipart/alternative (text and HTML) and a small attachment; about 12 KB. */
export function smallMail(seed: number): Buffer {
  const next = createSeeded(seed);
  const outer = `=_outer_${next(1e9).toString(36)}`;
  const inner = `=_inner_${next(1e9).toString(36)}`;
  return Buffer.from(
    `${header(next, `multipart/mixed;\r\n\tboundary="${outer}"`)}This is a message in MIME format.\r\n\r\n` +
      `--${outer}\r\nContent-Type: multipart/alternative; boundary="${inner}"\r\n\r\n` +
      `--${inner}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n` +
      `${textBody(next, 2500)}\r\n--${inner}\r\nContent-Type: text/html; charset="utf-8"\r\n` +
      `Content-Transfer-Encoding: quoted-printable\r\n\r\n${htmlBody(next, 4000)}\r\n--${inner}--\r\n\r\n` +
      `--${outer}\r\nContent-Type: image/png; name="picture.png"\r\nContent-Transfer-Encoding: base64\r\n` +
      `Content-Disposition: attachment; filename="picture.png"\r\nContent-ID: <${next(1e6)}@example.net>\r\n\r\n` +
      `${base64Body(next, 3600)}\r\n--${outer}--\r\n`,
    'latin1',
  );
}

/** A short text and one attachment in base64. @param octets of the attachment as encoded */
export function largeMail(seed: number, octets: number): Buffer {
  const next = createSeeded(seed);
  const boundary = `----=_Part_${next(1e9)}`;
  return Buffer.from(
    `${header(next, `multipart/mixed; boundary="${boundary}"`)}--${boundary}\r\nContent-Type: text/plain\r\n\r\n` +
      `${textBody(next, 1000)}\r\n--${boundary}\r\nContent-Type: application/pdf; name=report.pdf\r\n` +
      'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=report.pdf\r\n\r\n' +
      `${base64Body(next, octets)}\r\n--${boundary}--\r\n`,
    'latin1',
  );
}
