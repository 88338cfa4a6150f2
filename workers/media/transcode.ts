import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Conversion } from '../../queues/media.ts'
import { convertArguments, probeArguments } from './arguments.ts'
import { type Ended, runChild } from './child.ts'
import type { MediaConfig } from './config.ts'
import {
  judgeComplaint,
  judgeOutput,
  judgeProbe,
  outputMaxBytes,
  type Probe,
  type ProbeReport,
  type Refusal,
  readProbe,
  readProgressMs,
  refuse,
  sniff,
  wallClockMs,
} from './domain.ts'
import { readHead } from './files.ts'

export interface TranscodeRequest {
  /** A seekable file. */
  readonly input: string
  /** An empty folder for this attempt alone. */
  readonly folder: string
  readonly preset: Conversion['preset']
  readonly signal: AbortSignal
}

export interface Transcoded {
  readonly kind: 'made'
  readonly file: string
  readonly durationMs: number
}

const probeTimeoutMs = 30_000

/** Makes an mp3, or says what is wrong with the file. Throws if the fault is not the file's. */
export async function transcode(
  config: MediaConfig,
  request: TranscodeRequest,
): Promise<Transcoded | Refusal> {
  const container = sniff(await readHead(request.input))
  if (!container) return refuse('unsupported_format')
  const probe = await probeFile(config, request, request.input)
  if (probe.kind === 'refused') return probe
  const refusal = judgeProbe(probe, config.durationMaxMs)
  if (refusal) return refusal

  const file = join(request.folder, 'sound.mp3')
  const unreadable = await convert(config, request, file, probe.durationMs)
  if (unreadable) return unreadable
  const made = await probeFile(config, request, file)
  if (made.kind === 'refused' || made.durationMs === null) return refuse('corrupt')
  const shortfall = judgeOutput(made.durationMs, {
    promisedMs: probe.durationMs,
    container,
    maxMs: config.durationMaxMs,
  })
  return shortfall ?? { kind: 'made', file, durationMs: made.durationMs }
}

async function probeFile(
  { tools }: MediaConfig,
  { folder, signal }: TranscodeRequest,
  file: string,
): Promise<(Probe & { kind: 'probed' }) | Refusal> {
  const limits = { wallMs: probeTimeoutMs, stallMs: probeTimeoutMs, outputBytes: 0 }
  const ended = await runChild({
    argv: [tools.ffprobe, ...probeArguments(file)],
    tools,
    cwd: folder,
    limits,
    signal,
  })
  if (ended.code === 0) return { kind: 'probed', ...readProbe(JSON.parse(ended.stdout) as ProbeReport) }
  return judgeEnd('ffprobe', ended)
}

/** Null if it went well. */
async function convert(
  { tools, durationMaxMs, stallMs }: MediaConfig,
  { input, folder, preset, signal }: TranscodeRequest,
  output: string,
  promisedMs: number | null,
): Promise<Refusal | null> {
  let reachedMs = -1
  const ended = await runChild({
    argv: [tools.ffmpeg, ...convertArguments(input, output, { preset, durationMaxMs })],
    tools,
    cwd: folder,
    limits: {
      wallMs: wallClockMs(promisedMs ?? durationMaxMs),
      stallMs,
      outputBytes: outputMaxBytes(durationMaxMs) + 2 ** 20,
    },
    onLine: line => {
      const ms = readProgressMs(line)
      if (ms === null || ms <= reachedMs) return false
      reachedMs = ms
      return true
    },
    signal,
  })
  if (ended.code !== 0) return judgeEnd('ffmpeg', ended)
  return (await stat(output)).size > 0 ? null : refuse('corrupt')
}

function judgeEnd(program: string, { code, signal, killedBecause, stderr }: Ended): Refusal {
  const refusal = code !== null && killedBecause === null ? judgeComplaint(stderr) : null
  if (refusal) return refusal
  const how = killedBecause ?? signal ?? `exit ${code}`
  throw new Error(`${program} failed (${how}): ${stderr.trim().split('\n').at(-1) ?? ''}`)
}
