import { describe, expect, test } from 'bun:test'
import { countTests } from './check.ts'

describe('the result line of npm test', () => {
  const run =
    ' 1 pass\n 9 fail\n(pass) a test that prints such lines\n\n 12 pass\n 1 skip\n 2 fail\nRan 15 tests'

  test('counts what the last summary says', () => {
    expect(countTests(run, false)).toEqual({ passed: 12, failed: 2 })
  })

  test('counts a run without a summary, or that failed without saying why, as a failure', () => {
    expect(countTests('Segmentation fault', false)).toEqual({ passed: 0, failed: 1 })
    expect(countTests(' 3 pass\n 0 fail\n', false)).toEqual({ passed: 3, failed: 1 })
    expect(countTests(' 3 pass\n 0 fail\n', true)).toEqual({ passed: 3, failed: 0 })
  })
})
