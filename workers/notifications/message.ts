import { domainToASCII } from 'node:url'
import type { Mail } from './mails.ts'

export interface Mailbox {
  readonly name: string
  readonly address: string
}

export interface Letter extends Mail {
  /** Makes the Message-ID: a mailbox that gets the same letter again can tell. */
  readonly deliveryId: string
  readonly to: Mailbox
  readonly at: Date
}

/**
 * The letter as it goes over the wire (RFC 5322, MIME): ASCII lines of at most 78 characters, text and HTML.
 * nodemailer's composer makes the same of any mail at all, for four times the work.
 */
export function composeMessage({ deliveryId, to, at, subject, text, html }: Letter, from: Mailbox): string {
  const boundary = `=_${deliveryId}` // `=_` does not occur in base64
  return [
    `From: ${encodeMailbox(from)}`,
    `To: ${encodeMailbox(to)}`,
    `Subject: ${encodeText(subject)}`,
    `Message-ID: <${deliveryId}@${domainToASCII(domainOf(from))}>`,
    `Date: ${at.toUTCString().replace('GMT', '+0000')}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative;\r\n boundary="${boundary}"`,
    '',
    ...part('text/plain', text, boundary),
    ...part('text/html', html, boundary),
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

const part = (type: string, content: string, boundary: string): string[] => [
  `--${boundary}`,
  `Content-Type: ${type}; charset=utf-8`,
  'Content-Transfer-Encoding: base64',
  '',
  ...(base64(content).match(/.{1,76}/g) ?? []),
]

function encodeMailbox(mailbox: Mailbox): string {
  const local = mailbox.address.slice(0, mailbox.address.lastIndexOf('@'))
  const address = `<${local}@${domainToASCII(domainOf(mailbox))}>`
  return mailbox.name === '' ? address : `${encodeText(mailbox.name)}\r\n ${address}`
}

/** Plain words stand as they are; all else becomes encoded words (RFC 2047), which hold no line break and no address. */
function encodeText(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9 -]{0,59}$/.test(text)) return text
  return chunksOf(text, encodedWordBytes)
    .map(chunk => `=?utf-8?B?${base64(chunk)}?=`)
    .join('\r\n ')
}

/** 52 characters in base64, so that a word and the name of its header fit a line. */
const encodedWordBytes = 39

/** Never splits a character. */
function chunksOf(text: string, bytesMax: number): string[] {
  const chunks: string[] = []
  let chunk = ''
  for (const character of text) {
    if (chunk !== '' && Buffer.byteLength(chunk + character) > bytesMax) {
      chunks.push(chunk)
      chunk = ''
    }
    chunk += character
  }
  return [...chunks, chunk]
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const domainOf = ({ address }: Mailbox): string => address.slice(address.lastIndexOf('@') + 1)
