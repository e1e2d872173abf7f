/**
 * Passwords that were verified a short while ago, so that a program that opens ten connections costs one slow hash.
 * Kept is an HMAC under a key of this process, over name, stored hash and password: a new password is a new stored hash,
 * so nothing need be told to forget. Only successes are kept: a refusal always costs its hash.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';

export class VerifiedPasswords {
  readonly #clock: Clock;
  readonly #key = randomBytes(32);
  /** Mark to the monotonic time it ends at, oldest first. */
  readonly #endsAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The mark of one attempt; the same attempt has the same mark in this process, and nowhere else. */
  mark(name: string, kept: string | undefined, password: string): string {
    const hmac = createHmac('sha256', this.#key);
    for (const part of [name, kept ?? '', password]) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
    return hmac.digest('base64');
  }

  isVerified(mark: string): boolean {
    const endsAtMs = this.#endsAtMs.get(mark);
    if (endsAtMs === undefined) return false;
    if (this.#clock.monotonicMs() < endsAtMs) return true;
    this.#endsAtMs.delete(mark);
    return false;
  }

  verified(mark: string): void {
    this.#endsAtMs.delete(mark);
    this.#endsAtMs.set(mark, this.#clock.monotonicMs() + LIMITS.verifiedPasswordMs);
    if (this.#endsAtMs.size <= LIMITS.verifiedPasswordsMax) return;
    const [oldest] = this.#endsAtMs.keys();
    if (oldest !== undefined) this.#endsAtMs.delete(oldest);
  }
}
