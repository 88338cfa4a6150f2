import { buying } from './stories/buying.ts'
import { cancelling } from './stories/cancelling.ts'
import { sending } from './stories/sending.ts'
import type { Story } from './story.ts'

/** Every story there is. */
export const stories: readonly Story[] = [...buying, ...cancelling, ...sending]
