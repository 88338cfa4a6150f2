import { buying } from './stories/buying.ts'
import { cancelling, refunding } from './stories/cancelling.ts'
import { confirming } from './stories/confirming.ts'
import { fulfilling } from './stories/fulfilling.ts'
import { quarrelling } from './stories/quarrelling.ts'
import { returning } from './stories/returning.ts'
import { settingAside } from './stories/setting-aside.ts'
import type { Story } from './story.ts'

/** Every story there is. */
export const stories: readonly Story[] = [
  ...buying,
  ...confirming,
  ...settingAside,
  ...cancelling,
  ...refunding,
  ...fulfilling,
  ...returning,
  ...quarrelling,
]
