/** Mail of one size in which nothing is worth searching. */
export function* plainMail(user: string, octets: number): Generator<string, never, void> {
  const line = 'All work and no play makes mail a dull thing, so here are some words to fill the line.\r\n';
  const text = line.repeat(Math.max(1, Math.ceil((octets - 600) / 2 / line.length)));
  for (let made = 0; ; made += 1)
    yield (
      `Message-ID: <${process.pid}.${made}@bench.test>\r\nFrom: "Author ${made % 97}" <author${made % 97}@elsewhere.test>\r\n` +
        `To: <${user}>\r\nSubject: measured mail, number ${made}\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n` +
        `MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=b"\r\n\r\n` +
        `--=b\r\nContent-Type: text/plain\r\n\r\n${text}--=b\r\nContent-Type: text/html\r\n\r\n${text}--=b--\r\n`
    );
}
