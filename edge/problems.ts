/** Everything that the edge itself can answer wrong. Refusals of commands come from the registry. */
export const problems = {
  malformed_json: {
    status: 400,
    title: 'The body is not JSON.',
    help: 'Send one complete JSON value in UTF-8. The answer says what the parser met. NUL characters and lone surrogates cannot be stored and are refused as well.',
  },
  body_too_deep: {
    status: 400,
    title: 'The body is nested too deeply.',
    help: 'No request of this API needs more than a few levels.',
  },
  invalid_parameter: {
    status: 400,
    title: 'A query parameter is wrong.',
    help: '`errors` names each wrong parameter.',
  },
  upload_empty: {
    status: 400,
    title: 'There is nothing in the body.',
    help: 'Send the bytes of the video or sound as the body of the request.',
  },
  upload_broken: {
    status: 400,
    title: 'The upload was cut off.',
    help: 'Nothing of it was kept. Send it again.',
  },
  idempotency_key_missing: {
    status: 400,
    title: 'This request needs an Idempotency-Key header.',
    help: 'Make one up per intended effect, such as a UUID, and send the same one with every retry: however often it arrives, the command is accepted once.',
  },
  idempotency_key_invalid: {
    status: 400,
    title: 'The Idempotency-Key header is malformed.',
    help: 'It is 1 to 255 printable ASCII characters: a structured-field string in double quotes, or the bare characters without spaces.',
  },
  bad_signature: {
    status: 400,
    title: 'The signature is not of these bytes, or is too old.',
    help: 'Webhooks are taken from those who hold their secret: sign the bytes of the body as they are sent, and sign again with every retry.',
  },
  invalid_credentials: {
    status: 401,
    title: 'E-mail address or password is wrong.',
    help: 'Which of the two is not told, so that nobody can find out who has an account.',
  },
  invalid_refresh_token: {
    status: 401,
    title: 'The refresh token is not good any more.',
    help: 'It has expired, was used before, or belongs to a login that was revoked. Log in again.',
  },
  unauthenticated: {
    status: 401,
    title: 'This request needs a valid access token.',
    help: 'Send `Authorization: Bearer <access token>`. Tokens come from POST /v1/sessions and are renewed by POST /v1/sessions/refresh.',
  },
  insufficient_scope: {
    status: 403,
    title: 'The access token does not allow this.',
    help: 'The answer names the missing scope. Scopes follow from the roles of the account.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here for you.',
    help: 'The address is wrong, or names something that does not exist or belongs to somebody else.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This address does not take this method.',
    help: 'The Allow header lists the methods that it takes.',
  },
  email_taken: {
    status: 409,
    title: 'An account has this e-mail address already.',
    help: 'Log in, or register with another address.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large.',
    help: 'The answer says how many bytes are allowed; they are counted while they arrive.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has the wrong content type.',
    help: 'Send what the operation documents; for commands that is `Content-Type: application/json`.',
  },
  range_not_satisfiable: {
    status: 416,
    title: 'The file does not have these bytes.',
    help: 'Content-Range of the answer says how long the file is.',
  },
  validation_failed: {
    status: 422,
    title: 'The body does not fit the schema of this request.',
    help: '`errors` lists the wrong fields, each with a JSON pointer and what was expected. Unknown fields are refused.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for another request.',
    help: 'A key stands for one request: the same method, address and body. Take a new key for a new intent.',
  },
  internal_error: {
    status: 500,
    title: 'Something broke on our side.',
    help: 'It was logged under the request id of the answer. A command may be sent again with the same Idempotency-Key.',
  },
  upstream_invalid: {
    status: 502,
    title: 'A service behind this API gave a wrong answer.',
    help: 'It was logged under the request id of the answer.',
  },
  overloaded: {
    status: 503,
    title: 'Too many people are signing in at this moment.',
    help: 'Checking a password is costly on purpose. Try again after the time in Retry-After.',
  },
  journal_unavailable: {
    status: 503,
    title: 'Commands cannot be accepted right now.',
    help: 'Whether this one was written is not known. Send it again with the same Idempotency-Key after the time in Retry-After: it is accepted once.',
  },
  upstream_unavailable: {
    status: 503,
    title: 'A service behind this API does not answer.',
    help: 'Try again after the time in Retry-After.',
  },
} as const satisfies Record<string, ProblemKind>
export type ProblemCode = keyof typeof problems

export interface ProblemKind {
  readonly status: number
  /** One sentence for people; the same in every answer of this code. */
  readonly title: string
  /** What to do about it: the text of the page that `type` links to. */
  readonly help: string
}

/** One wrong field of a request. */
export interface FieldError {
  /** JSON pointer into the body, as a URI fragment: `#/lines/0/quantity`. */
  readonly pointer?: string
  /** Name of a path or query parameter. */
  readonly parameter?: string
  readonly detail: string
}

export interface ProblemDetails {
  /** What is special about this occurrence; never the message of an unexpected error. */
  readonly detail?: string
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
  /** More members of the document. */
  readonly members?: Readonly<Record<string, unknown>>
}

/** Ends a request with this problem. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly details: ProblemDetails
  /** `cause` is logged, never sent. */
  constructor(code: ProblemCode, details: ProblemDetails = {}, cause?: unknown) {
    super(code, { cause })
    this.code = code
    this.details = details
  }
}

/** The address of the page that explains a code. */
export const problemType = (publicUrl: string, code: string): string => `${publicUrl}/problems/${code}`

/** A problem document of RFC 9457. */
export function problemResponse(
  kind: { readonly code: string; readonly status: number; readonly title: string },
  { detail, errors, headers, members }: ProblemDetails,
  { publicUrl, requestId }: { readonly publicUrl: string; readonly requestId: string },
): Response {
  const body = {
    type: problemType(publicUrl, kind.code),
    title: kind.title,
    status: kind.status,
    code: kind.code,
    ...(detail !== undefined && { detail }),
    ...(errors && { errors }),
    ...members,
    requestId,
  }
  return new Response(JSON.stringify(body), {
    status: kind.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}
