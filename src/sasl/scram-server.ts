/**
 * SCRAM, the server's side: asks for the salt of a name, hands the client's proof out as a claim, and proves itself when
 * the claim holds. It never sees a key. Source: RFC 5802 §3, §5, §6; RFC 7677 §3; RFC 9266 §3 (channel bindings).
 */
import { fromUtf8 } from '../base/bytes.ts';
import { encodeBase64 } from './base64.ts';
import { malformed, withInitial } from './mechanism.ts';
import type {
  SaslChannel,
  SaslMechanism,
  SaslServerContext,
  SaslServerStep,
  ScramHash,
  ScramMechanismName,
  ScramSalt,
} from './mechanism.ts';
import { formatServerFirst, parseClientFinal, parseClientFirst } from './scram-message.ts';
import type { ClientFirst } from './scram-message.ts';

type Variant = { readonly name: ScramMechanismName; readonly hash: ScramHash; readonly isPlus: boolean };

export function scram(hash: ScramHash, isPlus: boolean): SaslMechanism {
  const variant: Variant = { name: `SCRAM-${hash}${isPlus ? '-PLUS' : ''}`, hash, isPlus };
  return {
    name: variant.name,
    // RFC 5802 §6: the -PLUS form where the channel can be bound to.
    isPossible: ({ bindings }) => !isPlus || bindings.size > 0,
    server: (context, initial) => withInitial(initial, (response) => first(variant, context, response)),
  };
}

function first(variant: Variant, context: SaslServerContext, response: Uint8Array): SaslServerStep {
  const message = parseClientFirst(response);
  if (message === undefined) return malformed('not a client-first-message');
  const binding = bindingOf(variant, message, context.channel);
  if (typeof binding === 'string') return { kind: 'refused', reason: binding };
  const nonce = message.nonce + context.nonce();
  return {
    kind: 'salt-wanted',
    hash: variant.hash,
    authenticationId: message.authenticationId,
    next: (salt) => challenge(variant, message, binding, { ...salt, nonce }),
  };
}

/** The octets that bind to the channel, none where it is not used; or why that is no way to begin. Source: RFC 5802 §6. */
function bindingOf(
  { isPlus }: Variant,
  { flag }: ClientFirst,
  { bindings }: SaslChannel,
): Uint8Array | string {
  switch (flag.kind) {
    case 'not-supported':
      return isPlus ? 'channel-binding-missing' : NO_BINDING;
    case 'not-offered':
      // Whoever could have bound and was not offered it has seen another list than ours: somebody is in between.
      return isPlus || bindings.size > 0 ? 'channel-binding-downgrade' : NO_BINDING;
    case 'used':
      return (isPlus ? bindings.get(flag.type) : undefined) ?? 'channel-binding-type';
  }
}

function challenge(
  { name, hash }: Variant,
  message: ClientFirst,
  binding: Uint8Array,
  told: ScramSalt & { readonly nonce: string },
): SaslServerStep {
  const serverFirst = formatServerFirst(told);
  const wanted = Buffer.concat([fromUtf8(message.gs2Header), binding]);
  return {
    kind: 'challenge',
    octets: fromUtf8(serverFirst),
    next: (response) => {
      const final = parseClientFinal(response);
      if (final === undefined) return malformed('not a client-final-message');
      // RFC 5802 §5.1: the nonce is the one that was sent, and what came before was not changed on its way.
      if (final.nonce !== told.nonce) return { kind: 'refused', reason: 'nonce' };
      if (!wanted.equals(final.channelBinding)) return { kind: 'refused', reason: 'channel-binding' };
      const { authorizationId, authenticationId, bare } = message;
      return {
        kind: 'claim',
        claim: {
          kind: 'scram',
          mechanism: name,
          hash,
          authorizationId,
          authenticationId,
          salt: { salt: told.salt, iterations: told.iterations },
          authMessage: `${bare},${serverFirst},${final.withoutProof}`,
          proof: final.proof,
        },
        accepted: proven,
      };
    },
  };
}

/** Neither SMTP nor IMAP lets a success carry data: the proof is one more challenge, and its answer is empty. */
function proven(signature: Uint8Array): SaslServerStep {
  return {
    kind: 'challenge',
    octets: fromUtf8(`v=${encodeBase64(signature)}`),
    next: (response) => (response.length === 0 ? { kind: 'done' } : malformed('the last response is empty')),
  };
}

const NO_BINDING = new Uint8Array();
