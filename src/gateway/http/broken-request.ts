import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RequestRefusedError } from '../request-refused-error.ts';
import { problemBody, problemOf } from './problem.ts';
import { safeHeaders } from './safe-headers.ts';

type ParserError = Error & { readonly code?: string };

/** What cannot even be read as a request: nothing of it is repeated, and its connection ends. */
export function answerBrokenRequest(error: ParserError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error);
  const { body, headers } = answerOf(refusal);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${refusal.status} ${reasons[refusal.status] ?? 'Bad Request'}\r\n${lines.join('')}\r\n${body}`);
}

/** For a header `Expect` with another value than 100-continue. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const code = 'gateway.unknown-expectation';
  const refusal = new RequestRefusedError(417, code, 'The header Expect asks for something that is not done here. Leave it out.');
  const { body, headers } = answerOf(refusal);
  response.writeHead(refusal.status, headers).end(body);
}

function refusalOf({ code: name }: ParserError): RequestRefusedError {
  const code = 'gateway.broken-request';
  if (name === 'HPE_HEADER_OVERFLOW') return new RequestRefusedError(431, code, 'The headers are larger than 16 KiB. Send less.');
  if (name === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = 'The request did not come to its end in time. Send it again, and faster.';
    return new RequestRefusedError(408, code, message, { remedy: 'retry' });
  }
  return new RequestRefusedError(
    400,
    code,
    'What was sent cannot be read as a request of HTTP/1.1. Correct its first line, headers and length.',
  );
}

const reasons: Readonly<Record<number, string>> = { 408: 'Request Timeout', 431: 'Request Header Fields Too Large' };

function answerOf(refusal: RequestRefusedError): { readonly body: string; readonly headers: Readonly<Record<string, string>> } {
  const requestId = randomUUID();
  const body = problemBody(problemOf(refusal), requestId);
  const headers = {
    ...safeHeaders,
    'x-request-id': requestId,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  return { body, headers };
}
