// @ts-check
// Give labels to images or take them away, tell what was done, offer to take it back.
import { post, takeBack } from "./api.mjs";

/** @param {import("./main.mjs").App} app
 * @param {{taxonomy: string, ids?: number[], where?: string, expected?: number, add?: string[], remove?: string[]}} wanted
 * @param {string} told what is said when something changed
 * @param {() => void} again what is read anew */
export async function recordLabels(app, wanted, told, again) {
  const complain = (error) => app.toast(error.message, { kind: "warning" });
  try {
    const { batch } = await post("/api/labels", wanted);
    const undo = () => takeBack(batch).then(again, complain);
    app.toast(batch ? told : "Nothing changed", batch ? { action: "Undo", run: undo } : {});
    again();
  } catch (error) { complain(error); }
}
