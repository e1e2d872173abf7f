/** `postrider account certificate list|add|remove`: certificates whose holder is the account (SASL EXTERNAL). */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { certificateNames } from '../../net/certificate-names.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, formatTime, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type AddOptions = PostOfficeOptions & { readonly file?: string };

export function registerCertificate(account: Command, terminal: Terminal): void {
  const certificate = account
    .command('certificate')
    .description('certificates that let their holder in, with tls.clientCertificates');

  addPostOfficeOptions(certificate.command('list <address>').description('show them')).action(
    async (address: string, options: PostOfficeOptions) => {
      const { certificates } = await withPostOffice('account certificate list', options, async (office) =>
        office.call('certificate.list', { address }),
      );
      if (options.json === true) return printJson(terminal, { certificates });
      const rows = certificates.map((one) => [one.fingerprint, formatTime(one.createdAtMs)]);
      return terminal.out(formatTable(['SHA-256 FINGERPRINT', 'ADDED'], rows));
    },
  );

  addPostOfficeOptions(
    certificate
      .command('add <address> [fingerprint]')
      .description('keep one, by its SHA-256 fingerprint or from its file'),
  )
    .option('--file <file>', 'the certificate, PEM or DER')
    .action(async (address: string, given: string | undefined, options: AddOptions) => {
      const fingerprint = await fingerprintOf(given, options.file);
      const added = await withPostOffice('account certificate add', options, async (office) =>
        office.call('certificate.add', { address, fingerprint }),
      );
      if (options.json === true) return printJson(terminal, added);
      return terminal.out(`Added ${added.certificate.fingerprint}.\n`);
    });

  addPostOfficeOptions(
    certificate.command('remove <address> <fingerprint>').description('let its holder in no more'),
  ).action(async (address: string, fingerprint: string, options: PostOfficeOptions) => {
    await withPostOffice('account certificate remove', options, async (office) =>
      office.call('certificate.remove', { address, fingerprint }),
    );
    if (options.json === true) return printJson(terminal, {});
    return terminal.out(`Removed ${plainText(fingerprint)}.\n`);
  });
}

async function fingerprintOf(given: string | undefined, file: string | undefined): Promise<string> {
  if (given !== undefined && file === undefined) return given;
  if (given !== undefined || file === undefined)
    throw new CliError(EXIT.usage, 'usage', 'Give either a fingerprint or --file', 'See --help.');
  let octets: Buffer;
  try {
    octets = await readFile(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.failed, 'failed', `The certificate cannot be read: ${why}`);
  }
  try {
    return certificateNames({ der: new X509Certificate(octets).raw, isVerified: false }).fingerprint;
  } catch {
    throw new CliError(EXIT.refused, 'bad-certificate', `${JSON.stringify(file)} is no certificate`);
  }
}
