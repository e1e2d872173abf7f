/** What the control socket and `--json` show. These shapes are documented in docs/cli.md and only ever grow. */
import type { Account, AccountCertificate, Alias, AppPassword, Domain } from '../../auth/directory.ts';

export type { Alias as AliasView, AppPassword as AppPasswordView, Domain as DomainView };

export type { AccountCertificate as CertificateView };

/** What an account can sign in with; numbers of app passwords and of certificates. */
export type SignInView = {
  readonly hasPassword: boolean;
  readonly hasScramKeys: boolean;
  readonly appPasswords: number;
  readonly certificates: number;
};

export type AccountView = {
  readonly id: number;
  readonly address: string;
  readonly displayName: string;
  readonly disabled: boolean;
  /** `null`: no limit. */
  readonly quotaOctets: number | null;
  readonly createdAtMs: number;
};

/** What a running server says of itself. */
export type ServerStatus = {
  readonly version: string;
  readonly pid: number;
  readonly hostname: string;
  readonly startedAtMs: number;
  readonly listeners: readonly {
    readonly service: string;
    readonly address: string;
    readonly port: number;
  }[];
};

export function viewAccount({
  id,
  address,
  displayName,
  disabled,
  quotaOctets,
  createdAtMs,
}: Account): AccountView {
  return { id, address, displayName, disabled, quotaOctets: quotaOctets ?? null, createdAtMs };
}
