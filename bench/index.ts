import { measureAccept } from './accept.ts'
import { measureJobs } from './jobs.ts'
import { openLab } from './lab.ts'

const lab = await openLab()
try {
  const found = await (process.argv.includes('accept') ? measureAccept : measureJobs)(lab, {
    quick: process.argv.includes('--quick'),
    repeats: 3,
    tell: line => console.error(line),
  })
  console.log(JSON.stringify(found, null, 1))
} finally {
  await lab.close()
}
