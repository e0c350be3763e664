// @ts-check
// Run a verb and wait for what comes of it, however long it takes.
import { get, post } from "./api.mjs";

const PAUSE = 250; // ms between two looks at a job
const GOES_ON = ["waiting", "running"];

/** @param {string} verb @param {Record<string, unknown>} settings @returns {Promise<any>} what the verb prints with --json */
export async function runVerb(verb, settings) {
  const answered = await post("/api/verbs/" + verb, settings);
  if (!answered.state) return answered; // it was done at once
  let job = answered;
  let result = null;
  do {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    ({ job, result } = await get("/api/jobs/" + answered.id));
  } while (GOES_ON.includes(job.state));
  if (job.state !== "done") throw new Error(job.error || verb + " was " + job.state);
  return result;
}
