/** A page for people, without a script and without anything from elsewhere. */
export const page = (title: string, body: string): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>${title}</title><style>body{font:16px system-ui;margin:2rem;max-width:60rem}td{padding:.2rem 1rem .2rem 0;
    vertical-align:top}td:first-child{font-family:monospace;white-space:nowrap}button{font:inherit;padding:.5rem 1rem}</style>
    <h1>${title}</h1>${body}</html>`,
    {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
      },
    },
  )

export const table = (rows: readonly (readonly [string, string])[]): string =>
  `<table>${rows.map(([name, text]) => `<tr><td>${escaped(name)}</td><td>${escaped(text)}</td></tr>`).join('')}</table>`

/** Values as JSON has them, any of which will do. */
export const listed = (values: readonly string[]): string => values.map(value => `"${value}"`).join(' | ')

export const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
