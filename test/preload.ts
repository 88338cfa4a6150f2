import { setDefaultTimeout } from 'bun:test'

// A job whose worker was killed is recovered within 15 s, by design.
setDefaultTimeout(60_000)
