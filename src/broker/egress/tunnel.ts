import { asEgressError, EgressError } from '../egress-error.ts';
import { parseHostPort } from '../host-name.ts';
import type { RequestHead } from '../http1/head.ts';
import type { Wire } from '../http1/wire.ts';
import { admit, type Admission } from './admit.ts';
import { checkServerName, HelloWatch, looksLikeTls, readClientHello } from './client-hello.ts';
import { connectTo, wireOf } from './connect.ts';
import { openPassage, recordRefusal, type Passage } from './passage.ts';
import { serveHttp } from './serve-http.ts';
import type { EdgeWorld } from './world.ts';

/** A fatal alert "access denied": TLS clients say something about it. */
const accessDenied = Buffer.from([0x15, 3, 3, 0, 2, 2, 49]);

/**
 * Opens the tunnel that a client asks for with CONNECT.
 *
 * Contract: what goes in must be TLS whose server name is the host of the tunnel; with a grant of methods or paths, or
 * a secret for the host, the tunnel ends here and every request in it is checked; nothing is connected before that.
 * @throws EgressError while the client can still be answered over HTTP.
 */
export async function serveConnect(world: EdgeWorld, client: Wire, head: RequestHead): Promise<void> {
  const admission = await admit(world, parseHostPort(head.target));
  await client.write(Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n'));
  try {
    const isTls = await readHello(world, client, admission);
    if (!isTls) await serveHttp(world, client, { kind: 'inside', admission, isSecure: false });
    else if (admission.isInspected) await inspect(world, client, admission);
    else await pass(world, client, admission);
  } catch (error) {
    const failure = asEgressError(error);
    if (!failure.isRecorded) await recordRefusal(world, admission.at, failure.code);
    await client.write(accessDenied);
    client.end();
  }
}

/** Checks the first message and gives it back to the wire; false for plain HTTP, which only an inspected tunnel may carry. */
async function readHello({ limits }: EdgeWorld, client: Wire, admission: Admission): Promise<boolean> {
  return await client.within(limits.headMs, `TLS did not begin within ${limits.headMs} ms.`, async () => {
    let bytes: Buffer = Buffer.alloc(0);
    for (;;) {
      const more = await client.read();
      if (more === undefined) throw new EgressError('egress.server-name', 'The tunnel was closed before TLS began. Try again.');
      bytes = Buffer.concat([bytes, more]);
      const isTls = looksLikeTls(bytes[0]);
      if (!isTls && !admission.isInspected)
        throw new EgressError(
          'egress.plain-in-tunnel',
          'A tunnel carries TLS only, and this is something else. Ask the proxy for http:// without CONNECT.',
        );
      const hello = isTls ? readClientHello(bytes) : undefined;
      if (isTls && hello === undefined) continue;
      client.unread(bytes);
      if (hello !== undefined) checkServerName(hello, admission.at.host);
      return isTls;
    }
  });
}

/** Ends TLS here, with a certificate that only this run's sandbox trusts. */
async function inspect(world: EdgeWorld, client: Wire, admission: Admission): Promise<void> {
  const tls = process.getBuiltinModule('node:tls');
  const secureContext = world.contextFor(admission.at.host);
  const secured = new tls.TLSSocket(client.release(), { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
  using inside = wireOf(secured, world);
  await serveHttp(world, inside, { kind: 'inside', admission, isSecure: true });
}

async function pass(world: EdgeWorld, client: Wire, admission: Admission): Promise<void> {
  const { at, addresses } = admission;
  const passage = await openPassage(world, { mode: 'tunnel', at, addresses });
  try {
    using server = wireOf(await connectTo(world, admission), world);
    const watch = new HelloWatch(at.host);
    await Promise.all([
      pump(client, server, (bytes) => {
        watch.push(bytes);
        count(world, passage, { bytesUp: bytes.length });
      }),
      pump(server, client, (bytes) => count(world, passage, { bytesDown: bytes.length })),
    ]);
    await passage.close('done');
    client.end();
  } catch (error) {
    const failure = asEgressError(error);
    failure.isRecorded = true;
    await passage.close(failure.code);
    client.fail(failure);
  }
}

async function pump(from: Wire, to: Wire, seen: (bytes: Buffer) => void): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== undefined; bytes = await from.read()) {
      seen(bytes);
      await to.write(bytes);
    }
    to.end();
  } catch (error) {
    // The other direction must not wait for what will never come.
    from.fail(error as Error);
    to.fail(error as Error);
    throw error;
  }
}

function count({ limits }: EdgeWorld, passage: Passage, more: { readonly bytesUp?: number; readonly bytesDown?: number }): void {
  passage.bytesUp += more.bytesUp ?? 0;
  passage.bytesDown += more.bytesDown ?? 0;
  if (passage.bytesUp <= limits.bytesUp && passage.bytesDown <= limits.bytesDown) return;
  throw new EgressError('egress.too-large', 'The tunnel carried as many bytes as one may. Ask for less.');
}
