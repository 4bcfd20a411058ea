import { timePasses } from '../node/wait.mjs';

/** Does something so often per second, for so many seconds. What is late is done at once. */
export async function paced(perSecond, seconds, once) {
  const from = performance.now();
  for (let done = 0; done < perSecond * seconds;) {
    const due = Math.min(perSecond * seconds, Math.floor(((performance.now() - from) * perSecond) / 1_000) + 1);
    for (; done < due; done += 1) once();
    await timePasses(1_000 / perSecond / 2);
  }
}
