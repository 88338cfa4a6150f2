import type { ErrorHandler, NotFoundHandler } from 'hono'
import type { Logger } from 'pino'
import type { EdgeEnv } from '../context.ts'
import type { Operation } from '../operation.ts'
import { Problem, type ProblemDetails, problemResponse, problems } from '../problems.ts'

/** Turns whatever was thrown into a problem document. What was not meant for callers is logged, not sent. */
export function answerProblem({ publicUrl, log }: { publicUrl: string; log: Logger }): ErrorHandler<EdgeEnv> {
  return (error, c) => {
    const problem = error instanceof Problem ? error : new Problem('internal_error')
    const kind = problems[problem.code]
    if (kind.status >= 500) {
      const err = error instanceof Problem ? error.cause : error
      const { method } = c.req
      log.error(
        { err, code: problem.code, requestId: c.get('requestId'), method, path: c.req.path },
        'failed',
      )
    }
    const about = { publicUrl, requestId: c.get('requestId') }
    return problemResponse({ ...kind, code: problem.code }, problem.details, about)
  }
}

/** 404 for an unknown address; 405 for a known one that does not take the method. */
export function answerUnmounted({
  publicUrl,
  operations,
}: {
  publicUrl: string
  operations: readonly Operation[]
}): NotFoundHandler<EdgeEnv> {
  return c => {
    const allowed = methodsOf(operations, c.req.path)
    const code = allowed.length > 0 ? 'method_not_allowed' : 'not_found'
    const details: ProblemDetails = allowed.length > 0 ? { headers: { allow: allowed.join(', ') } } : {}
    const about = { publicUrl, requestId: c.get('requestId') }
    return problemResponse({ ...problems[code], code }, details, about)
  }
}

function methodsOf(operations: readonly Operation[], path: string): string[] {
  const parts = path.split('/')
  const methods = operations.filter(each => fits(each.path.split('/'), parts)).map(each => each.method)
  return [...new Set(methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
}

const fits = (template: readonly string[], parts: readonly string[]): boolean =>
  template.length === parts.length &&
  template.every((part, at) => (part.startsWith('{') ? parts[at] !== '' : part === parts[at]))
