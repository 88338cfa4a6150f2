import { describe, expect, test } from 'bun:test'
import { isAbsolute } from 'node:path'
import { readConfig } from './config.ts'

describe('the settings of media', () => {
  test('programs become absolute paths, for they are started without an environment', () => {
    const { ffmpeg, ffprobe } = readConfig(process.env).tools
    expect([isAbsolute(ffmpeg), isAbsolute(ffprobe)]).toEqual([true, true])
  })
  test.each(['FFMPEG', 'FFPROBE'])(
    '%s that is not there stops the start with one line that names it',
    name => {
      const start = () => readConfig({ ...process.env, [name]: '/nowhere/tool' })
      expect(start).toThrow(new RegExp(`^setting ${name}: .*/nowhere/tool`))
    },
  )
  test('MEDIA_DIR has a default for development, refused in production', () => {
    const { MEDIA_DIR: _, ...env } = process.env
    expect(isAbsolute(readConfig(env).dir)).toBe(true)
    expect(() => readConfig({ ...env, NODE_ENV: 'production' })).toThrow(/^setting MEDIA_DIR: /)
  })
  test('a limit that is no number is refused by its name', () => {
    expect(() => readConfig({ ...process.env, UPLOAD_MAX_BYTES: 'much' })).toThrow(
      /^setting UPLOAD_MAX_BYTES: /,
    )
  })
})
