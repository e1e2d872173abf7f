/** What a listener offers where it is for the operator to say. */
export type SmtpExtensions = {
  /** FUTURERELEASE (RFC 4865), where the role is submission. Undefined: not offered. */
  readonly hold: HoldOffer | undefined;
  /** DELIVERBY: the least time that a message may be given before it is returned (RFC 2852 §3). Undefined: not offered. */
  readonly deliverBy: { readonly secondsMin: number } | undefined;
  /** MT-PRIORITY: the name of the policy (RFC 6710 §9.2), and the highest that may be asked for. Undefined: not offered. */
  readonly priority: { readonly policy: string; readonly max: number } | undefined;
  readonly binaryMime: boolean;
  /** Whose VRFY and EXPN are answered. */
  readonly vrfy: AddressQuerents;
  readonly expn: AddressQuerents;
};

/** The longest time ahead, and a date that it may not pass. */
export type HoldOffer = { readonly secondsMax: number; readonly untilMaxMs: number | undefined };

/** 'trusted': who has signed in, and the peers that the operator named. */
export type AddressQuerents = 'nobody' | 'trusted' | 'everybody';

export const SMTP_EXTENSIONS: SmtpExtensions = {
  hold: { secondsMax: 2_592_000, untilMaxMs: undefined },
  deliverBy: { secondsMin: 60 },
  priority: { policy: 'MIXER', max: 9 },
  binaryMime: true,
  vrfy: 'trusted',
  expn: 'trusted',
};

/** RFC 4865 §3: the last instant until which a message may be held; undefined where none is left. */
export function holdUntilMaxMs({ secondsMax, untilMaxMs }: HoldOffer, nowMs: number): number | undefined {
  const until = Math.min(nowMs + secondsMax * 1000, untilMaxMs ?? Number.POSITIVE_INFINITY);
  return until > nowMs ? until : undefined;
}
