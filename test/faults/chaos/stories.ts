import { buying } from './stories/buying.ts'
import { cancelling, refunding } from './stories/cancelling.ts'
import { fulfilling } from './stories/fulfilling.ts'
import { returning } from './stories/returning.ts'
import type { Story } from './story.ts'

/** Every story there is. */
export const stories: readonly Story[] = [...buying, ...cancelling, ...refunding, ...fulfilling, ...returning]
