// @ts-check
// Jobs: every long verb as a form made of its settings, what runs and how far it is, what it said.
// A job is a process of its own: decisions go on meanwhile.
import { el, say } from "../../shared/dom.mjs";
import { asCount } from "../../shared/wording.mjs";
import { get, post, remove } from "../api.mjs";
import { askedOf, asText, asTime, commandOf, GROUPS, progressOf, rangeOf, valueOf, wordsOf } from "../forms.mjs";
import { shareBar } from "../share_bar.mjs";
import { loadStyle } from "../styles.mjs";

const OFTEN = 1000; // ms between two looks at the log of a job that runs
const GOES_ON = ["waiting", "running"];
const STATES = { waiting: "Waits", running: "Runs", done: "Done", failed: "Failed", stopped: "Stopped" };

/** @typedef {import("../forms.mjs").VerbRow} VerbRow */
/** @typedef {import("../forms.mjs").Setting} Setting */
/** @typedef {{setting: Setting, read: () => any, input: HTMLElement}} Field */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  const waiting = el("p", { class: "blank-page" }, "Reading what can be run …");
  host.append(waiting);
  const [, verbs, jobs] = await Promise.all([loadStyle("/web/app/screens/jobs.css"), get("/api/verbs"), get("/api/jobs")]);
  waiting.remove();
  const screen = new Jobs(host, app, verbs.filter((/** @type {VerbRow} */ verb) => verb.access === "work"), jobs);
  screen.choose(place.parts[0] || "issues", false);
  screen.look(Number(place.query.get("job")) || (jobs[0] && jobs[0].id) || 0);
  return { close: () => screen.close() };
}

class Jobs {
  /** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {VerbRow[]} verbs @param {any[]} jobs */
  constructor(host, app, verbs, jobs) {
    this.app = app;
    this.verbs = verbs;
    this.jobs = new Map(jobs.map((job) => [job.id, job]));
    this.job = 0; // the one whose log is shown
    /** @type {VerbRow} */
    this.verb = verbs[0];
    /** @type {Field[]} */
    this.fields = [];
    this.timer = 0;
    this.build(host);
    this.ends = [
      app.keys.use("Jobs", this.bindings()),
      app.events.on("job", (job) => this.take(job, true)),
      app.events.on("progress", (job) => this.take(job, false)),
      app.events.on("reset", () => this.read()),
    ];
    this.showJobs();
  }

  close() {
    clearTimeout(this.timer);
    for (const end of this.ends) end();
  }

  async read() {
    for (const job of await get("/api/jobs")) this.jobs.set(job.id, job);
    this.showJobs();
  }

  // ---------------------------------------------------------------- what can be run

  /** @param {string} name @param {boolean} [named] whether the address says so from now on */
  choose(name, named = true) {
    const verb = this.verbs.find((one) => one.name === name);
    if (!verb) return;
    this.verb = verb;
    if (named) this.app.replace(this.job ? { job: this.job } : {}, [name]);
    for (const button of this.list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.verb === name));
    this.showForm();
  }

  /** @param {number} by */
  step(by) {
    const shown = /** @type {HTMLButtonElement[]} */ ([...this.list.querySelectorAll("button:not([hidden])")]);
    const at = shown.findIndex((button) => button.dataset.verb === this.verb.name);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
    if (next) { this.choose(next.dataset.verb || ""); next.scrollIntoView({ block: "nearest" }); }
  }

  narrow() {
    const words = this.search.value.trim().toLowerCase();
    for (const part of this.list.children) {
      let some = false;
      for (const button of part.querySelectorAll("button")) {
        button.hidden = !(button.textContent || "").toLowerCase().includes(words);
        some = some || !button.hidden;
      }
      /** @type {HTMLElement} */ (part).hidden = !some;
    }
  }

  // ---------------------------------------------------------------- the form

  /** @param {Record<string, any>} [values] what stands in the fields, other than the defaults */
  showForm(values = {}) {
    const asked = askedOf(this.verb);
    this.fields = [];
    const rows = asked.map((setting) => this.fieldOf(setting, values[setting.name]));
    const first = rows.filter((row, at) => asked[at].required || at < 5);
    const more = rows.filter((row) => !first.includes(row));
    this.form.replaceChildren(
      el("header", { class: "job-head" }, el("h2", {}, this.verb.command), el("p", { class: "muted" }, this.verb.summary.replace(/^./, (letter) => letter.toUpperCase()) + ".")),
      el("div", { class: "job-fields" }, first),
      more.length ? el("details", { class: "job-more", open: more.some((row) => asked[rows.indexOf(row)].name in values) }, el("summary", {}, asCount(more.length) + (more.length === 1 ? " more setting" : " more settings")), el("div", { class: "job-fields" }, more)) : null,
      this.complaint, this.command, this.actions);
    this.retell();
  }

  /** @param {Setting} setting @param {any} given */
  fieldOf(setting, given) {
    const id = "setting-" + setting.name;
    const told = el("p", { class: "muted small", id: id + "-help" }, [setting.help, rangeOf(setting)].filter(Boolean).join("; "));
    const more = { id, "aria-describedby": id + "-help", oninput: () => this.retell(), onchange: () => this.retell() };
    const shown = given === undefined ? setting.default : given;
    if (setting.kind === "flag") {
      const box = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", ...more, checked: Boolean(shown) }));
      this.fields.push({ setting, input: box, read: () => box.checked });
      return el("div", { class: "job-field flag" }, box, el("label", { for: id }, wordsOf(setting)), told);
    }
    const choices = setting.name === "taxonomy" && !setting.choices.length ? this.app.collection.taxonomies.map((/** @type {any} */ one) => one.name) : setting.choices;
    if (choices.length && setting.many) {
      const boxes = choices.map((/** @type {any} */ choice) => /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", value: String(choice), "aria-describedby": id + "-help", onchange: () => this.retell(), checked: (shown || []).map(String).includes(String(choice)) })));
      this.fields.push({ setting, input: boxes[0], read: () => boxes.filter((/** @type {HTMLInputElement} */ box) => box.checked).map((/** @type {HTMLInputElement} */ box) => box.value) });
      return el("fieldset", { class: "job-field" }, el("legend", {}, wordsOf(setting)), el("div", { class: "job-choices" }, boxes.map((/** @type {HTMLElement} */ box, /** @type {number} */ at) => el("label", {}, box, String(choices[at])))), told);
    }
    if (choices.length) {
      const empty = setting.required ? null : el("option", { value: "" }, setting.default === null ? "default" : asText(setting.default) + " (default)");
      const list = /** @type {HTMLSelectElement} */ (el("select", { class: "select", ...more }, empty,
        choices.filter((/** @type {any} */ choice) => choice !== setting.default || setting.required).map((/** @type {any} */ choice) => el("option", { value: String(choice) }, String(choice)))));
      list.value = given === undefined ? (setting.required ? String(choices[0]) : "") : String(given);
      this.fields.push({ setting, input: list, read: () => list.value });
      return el("div", { class: "job-field" }, el("label", { for: id }, wordsOf(setting)), list, told);
    }
    const number = setting.kind !== "text" && !setting.many;
    const input = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "text", inputmode: number ? "decimal" : null, autocomplete: "off", spellcheck: "false", ...more, placeholder: asText(setting.default) || (setting.required ? "needed" : "") }));
    input.value = given === undefined ? "" : asText(given);
    this.fields.push({ setting, input, read: () => input.value });
    return el("div", { class: "job-field" }, el("label", { for: id }, wordsOf(setting)), input, told);
  }

  /** What the form says; null with a complaint where it cannot be.
   * @returns {Record<string, any> | null} */
  given() {
    /** @type {Record<string, any>} */
    const found = {};
    this.complaint.textContent = "";
    for (const { setting, read, input } of this.fields) {
      try {
        const value = valueOf(setting, read());
        if (value !== undefined) found[setting.name] = value;
        input.removeAttribute("aria-invalid");
      } catch (error) {
        input.setAttribute("aria-invalid", "true");
        this.complaint.textContent = /** @type {Error} */ (error).message;
        return null;
      }
    }
    return found;
  }

  retell() {
    const given = this.given();
    this.command.textContent = given ? "$ " + commandOf(this.verb, given) : "";
    this.runButton.disabled = !given || this.app.collection.role !== "admin";
    if (this.app.collection.role !== "admin") this.complaint.textContent = "Jobs are run by an admin; you are a " + this.app.collection.role + ".";
  }

  async run() {
    const given = this.given();
    if (!given || this.runButton.disabled) return;
    try {
      const job = await post("/api/verbs/" + this.verb.name, given);
      this.take(job, true);
      this.look(job.id);
      say(this.verb.command + " begins");
    } catch (error) { this.complaint.textContent = /** @type {Error} */ (error).message; }
  }

  // ---------------------------------------------------------------- what runs

  /** @param {any} job @param {boolean} changed */
  take(job, changed) {
    this.jobs.set(job.id, job);
    this.showJobs();
    if (job.id !== this.job) return;
    this.showDetail(job);
    if (changed) this.readLog(); else this.readSoon();
  }

  readSoon() {
    if (this.timer) return;
    this.timer = setTimeout(() => { this.timer = 0; this.readLog(); }, OFTEN);
  }

  /** @param {number} id */
  look(id) {
    this.job = id;
    this.showJobs();
    const job = this.jobs.get(id);
    this.detail.hidden = !job;
    if (!job) return;
    this.log.textContent = "";
    this.result.textContent = "";
    this.showDetail(job);
    this.readLog();
  }

  async readLog() {
    const id = this.job;
    if (!id) return;
    const { job, log, result } = await get("/api/jobs/" + id).catch(() => ({ job: null, log: [], result: null }));
    if (!job || id !== this.job) return;
    const below = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    this.log.textContent = log.join("\n");
    if (below) this.log.scrollTop = this.log.scrollHeight;
    this.result.textContent = result === null ? "" : JSON.stringify(result, null, 1);
    this.resultBox.hidden = result === null;
    this.log.hidden = !log.length;
    this.showDetail(job);
  }

  async stop() {
    const job = this.jobs.get(this.job);
    if (!job || !GOES_ON.includes(job.state)) return;
    try {
      this.take(await remove("/api/jobs/" + job.id), true);
      this.app.toast("Stopped; what was finished is kept, and the same job goes on from there");
    } catch (error) { this.app.toast(/** @type {Error} */ (error).message, { kind: "warning" }); }
  }

  again() {
    const job = this.jobs.get(this.job);
    if (!job) return;
    this.choose(job.verb.replaceAll(" ", "-"));
    this.showForm(job.settings);
    this.form.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} by */
  walk(by) {
    const ids = [...this.jobs.keys()].sort((a, b) => b - a);
    const next = ids[Math.max(0, Math.min(ids.length - 1, ids.indexOf(this.job) + by))];
    if (next) this.look(next);
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    return [
      { key: "ArrowDown", shown: "↑ ↓", label: "another verb", run: () => this.step(1) },
      { key: "ArrowUp", label: "", silent: true, run: () => this.step(-1) },
      { key: "/", label: "find a verb", run: () => this.search.focus() },
      { key: "Enter", label: "run it", run: () => this.run() },
      { key: "j", shown: "j k", label: "another job", run: () => this.walk(1) },
      { key: "k", label: "", silent: true, run: () => this.walk(-1) },
      { key: "s", label: "stop the job", run: () => this.stop() },
      { key: "r", label: "its settings again", run: () => this.again() },
    ];
  }

  /** @param {HTMLElement} host */
  build(host) {
    this.search = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "search", placeholder: "Find a verb", "aria-label": "Find a verb", oninput: () => this.narrow() }));
    this.list = el("div", { class: "job-verbs" }, Object.entries(GROUPS).map(([group, title]) => {
      const own = this.verbs.filter((verb) => verb.group === group);
      return own.length ? el("section", {}, el("h3", {}, title), own.map((verb) => el("button", { type: "button", "data-verb": verb.name, "aria-pressed": "false", title: verb.summary, onclick: () => this.choose(verb.name) }, el("b", {}, verb.command.replace("vernis ", "")), el("span", { class: "muted small" }, verb.summary)))) : null;
    }));
    this.complaint = el("p", { class: "job-complaint", role: "alert" });
    this.command = el("p", { class: "job-command mono small", "data-command": "" });
    this.runButton = /** @type {HTMLButtonElement} */ (el("button", { type: "submit", class: "button primary" }, "Run", el("kbd", {}, "Enter")));
    this.actions = el("div", { class: "job-actions" }, this.runButton);
    this.form = /** @type {HTMLFormElement} */ (el("form", { class: "job-form", "aria-label": "Settings", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.run(); } }));
    this.table = el("ul", { class: "job-list", "aria-label": "Jobs" });
    this.log = el("pre", { class: "job-log", tabindex: "0", "aria-label": "Log" });
    this.result = el("pre", { class: "job-log", tabindex: "0", "aria-label": "Result" });
    this.resultBox = el("details", { class: "job-more" }, el("summary", {}, "Result"), this.result);
    this.told = el("div", { class: "job-told" });
    this.stopButton = /** @type {HTMLButtonElement} */ (el("button", { type: "button", class: "button", onclick: () => this.stop() }, "Stop", el("kbd", {}, "s")));
    this.detail = el("section", { class: "job-detail", "aria-label": "Job", hidden: true }, this.told,
      el("div", { class: "job-actions" }, this.stopButton, el("button", { type: "button", class: "button", onclick: () => this.again() }, "Settings again", el("kbd", {}, "r"))),
      this.log, this.resultBox);
    host.append(el("div", { class: "jobs" },
      el("aside", { class: "jobs-verbs", "aria-label": "What can be run" }, this.search, this.list),
      el("div", { class: "jobs-form" }, this.form),
      el("div", { class: "jobs-running" }, el("h2", {}, "Jobs"), this.table, this.detail)));
  }

  showJobs() {
    const jobs = [...this.jobs.values()].sort((a, b) => b.id - a.id);
    if (!jobs.length) { this.table.replaceChildren(el("li", { class: "muted" }, "Nothing was run since the server began.")); return; }
    this.table.replaceChildren(...jobs.map((job) => {
      const part = progressOf(job);
      const row = el("button", { type: "button", class: "job-row", "data-state": job.state, "aria-pressed": String(job.id === this.job), onclick: () => this.look(job.id) },
        el("b", {}, job.verb), el("span", { class: "chip" + (job.state === "failed" ? " conflict" : "") }, STATES[/** @type {keyof typeof STATES} */ (job.state)]),
        el("span", { class: "muted small" }, [timeOf(job.created), "by " + job.by, Object.entries(job.settings).map(([name, value]) => name + " " + asText(value)).join(", ")].filter(Boolean).join(" · ")));
      if (job.state === "running") row.append(shareBar(part || 0).bar);
      return el("li", {}, row);
    }));
  }

  /** @param {any} job */
  showDetail(job) {
    this.stopButton.hidden = !GOES_ON.includes(job.state);
    this.told.replaceChildren(
      el("h3", {}, job.verb + ": " + STATES[/** @type {keyof typeof STATES} */ (job.state)].toLowerCase()),
      job.error ? el("p", { class: "job-complaint" }, job.error) : "",
      el("ul", { class: "job-tasks" }, job.tasks.map((/** @type {any} */ task) => el("li", {},
        el("span", {}, task.task + (task.note ? ": " + task.note : "")),
        el("span", { class: "muted number small" }, asCount(task.done) + (task.total ? " of " + asCount(task.total) : "") + " · " + asTime(task.seconds) + (job.state === "running" && task.left ? " · " + asTime(task.left) + " left" : "")),
        shareBar(task.total ? task.done / task.total : 0).bar))));
  }
}

/** @param {string} text a time in UTC */
const timeOf = (text) => (text ? new Date(text).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "");
