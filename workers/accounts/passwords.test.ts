import { expect, spyOn, test } from 'bun:test'
import { createPasswords, TooManySignIns } from './passwords.ts'

test('a password fits its own hash, and no other', async () => {
  const { hash, verify } = createPasswords()
  const kept = await hash('correct horse')
  expect(await verify('correct horse', kept)).toBe(true)
  expect(await verify('wrong horse', kept)).toBe(false)
})

test('nobody has a hash of the same cost, so that it takes as long to refuse them', async () => {
  const { hash, verify } = createPasswords()
  const kept = await hash('correct horse')
  const verified = spyOn(Bun.password, 'verify')
  expect(await verify('wrong horse', kept)).toBe(false)
  expect(await verify('wrong horse', null)).toBe(false)
  const costs = verified.mock.calls.map(([, against]) => String(against).split('$').slice(1, 4))
  verified.mockRestore()
  const cost = ['argon2id', 'v=19', 'm=19456,t=2,p=1']
  expect(costs).toEqual([cost, cost])
})

test('a flood of sign-ins is refused beyond what may wait, and the ones that wait are answered', async () => {
  const { hash } = createPasswords({ atOnce: 1, waitingMax: 2 })
  const answers = await Promise.allSettled(Array.from({ length: 6 }, () => hash('correct horse')))
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  const refused = answers.filter(answer => answer.status === 'rejected')
  expect(refused.every(({ reason }) => reason instanceof TooManySignIns)).toBe(true)
})
