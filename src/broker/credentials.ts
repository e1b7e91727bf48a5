import { EgressError } from './egress-error.ts';
import type { GrantRequest, Grants } from './grants.ts';

/** Who an edge asks for: everything of a request but its tool, host and secret. */
export type CredentialHolder = Omit<GrantRequest, 'tool' | 'host' | 'secret'>;

/** Before a secret is put into a request: a token for exactly that, spent at once. @throws EgressError with the denial's reason. */
export type AskForCredential = (need: { readonly host: string; readonly secret: string }) => Promise<void>;

/**
 * The executor's side of the broker, for one tool of one run: each request that carries a secret has a token of its own.
 *
 * Contract: nothing of a secret leaves without a token that was given, recorded and spent for this host and this secret.
 */
export function openCredentials(grants: Grants, holder: CredentialHolder, tool: string): AskForCredential {
  return async ({ host, secret }) => {
    const asked = { ...holder, tool, host, secret };
    const issued = await recorded(async () => await grants.request(asked));
    const used = issued.ok ? await recorded(async () => await grants.use(issued.token, asked)) : issued;
    if (!used.ok)
      throw new EgressError(
        'egress.no-credential',
        `The request carries the secret ${secret} to ${host} and did not leave: ${used.reason} (${used.code}). A human can allow it in broker.yaml.`,
      );
    if (used.secret !== secret) throw new TypeError(`the token is for the secret ${used.secret}`);
  };
}

async function recorded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new EgressError(
      'egress.no-credential',
      'Nothing left, because no credential could be given. A human must look at the ledger and at broker.yaml.',
      {
        cause: error,
      },
    );
  }
}
