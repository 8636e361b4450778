/*
 * RAD Monitor for a page outside of it: sends a share of the page's calls to the candidate of a rollout, the others
 * to legacy, and to legacy too what fails at the candidate. Where anything is in doubt, legacy serves.
 *
 *   <script async src="https://console.example/client.js" data-rollout="search"
 *           data-legacy="/api/old" data-candidate="/api/new"></script>
 *
 *   const call = window.RadMonitor?.fetch ?? fetch; // without this script all stays as it was
 *   const answer = await call("/api/old/items?q=tea");
 */
(() => {
  "use strict";
  const own = window.RadMonitor ?? {}; // A page of the console has one already.
  if (own.fetch) return;
  const before = { ...own };
  const script = document.currentScript;
  const set = { ...script?.dataset };
  const native = window.fetch.bind(window);
  const absolute = (url) => new URL(url, document.baseURI).href.replace(/\/+$/, "");
  const home = absolute(set.console ?? new URL(".", script?.src || location.href));

  const SWITCH = "rad-monitor.disabled"; // As the dashboard names it.
  const ID = "rad-monitor.client";
  const HOLD_S = 25; // So long the console may hold a question until there is something new,
  const MARGIN_MS = 5_000; // and so long it has to answer any other.
  const VALID_MS = 5_000; // So long what it said is good.
  const FAILURES = 3; // So many in a row shut the candidate out,
  const OPEN_MS = 30_000; // for so long; then one call tries.
  const BOUNDS_MS = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
  const MOST = 10_000; // Calls in a report, of each side.

  const attempt = (action) => {
    try {
      return action();
    } catch {
      return undefined; // This page may have no storage, or no cookies.
    }
  };
  const isWithin = (since, ms) => Date.now() >= since && Date.now() < since + ms; // Goes on while a computer sleeps.
  const isVisible = () => document.visibilityState !== "hidden";
  const isThrown = () =>
    (attempt(() => localStorage.getItem(SWITCH)) ?? null) !== null ||
    attempt(() => /(^|;\s*)rad_mode=legacy(;|$)/.test(document.cookie)) === true;
  let thrown = isThrown();

  /** Who this browser is: made when it is first needed, and told to nobody. */
  let id;
  function clientId() {
    id = id || attempt(() => localStorage.getItem(ID));
    if (!id) {
      id = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
      attempt(() => localStorage.setItem(ID, id));
    }
    return id;
  }

  /** From a client to one of 10,000 buckets, exactly as the gateway does it. */
  function bucket(seed, client) {
    const times = (a, b) => BigInt.asUintN(64, a * b);
    let hash = 0xcbf29ce484222325n ^ BigInt(`0x${seed}`);
    for (const byte of new TextEncoder().encode(client)) hash = times(hash ^ BigInt(byte), 0x100000001b3n);
    hash = times(hash ^ (hash >> 30n), 0xbf58476d1ce4e5b9n);
    hash = times(hash ^ (hash >> 27n), 0x94d049bb133111ebn);
    return Number(((hash ^ (hash >> 31n)) * 10_000n) >> 64n);
  }

  const noCalls = () => ({
    ...{ answered: 0, bad_status: 0, network_error: 0, timeout: 0, sum_ms: 0 },
    latency: [...BOUNDS_MS, Infinity].fill(0),
  });
  const counted = (calls) => calls.latency.reduce((sum, some) => sum + some);

  class Rollout {
    constructor(name) {
      this.url = `${home}/api/client/${encodeURIComponent(name)}`;
      this.told = null; // What the console said last,
      this.heard = 0; // and when that was known to be so.
      this.held = 0; // Since when the console holds a question.
      this.failed = 0; // Questions in a row without an answer,
      this.retryAt = 0; // and when the next one is due.
      this.failures = 0; // Calls in a row that failed at the candidate,
      this.openUntil = 0; // and until when none tries it.
      this.probing = false;
      this.inFlight = new Set(); // What stops those calls to the candidate that can be made again.
      this.forget();
    }

    forget() {
      this.counts = { legacy: noCalls(), candidate: noCalls(), fallbacks: 0 };
    }

    get isFresh() {
      const isHeld = this.held > 0 && isWithin(this.held, HOLD_S * 1_000 + MARGIN_MS);
      return this.told !== null && (isHeld || isWithin(this.heard, VALID_MS));
    }

    get side() {
      const { share_basis_points: share, seed } = (this.isFresh && !thrown && this.told) || {};
      return share > 0 && bucket(seed, clientId()) < share ? "candidate" : "legacy";
    }

    /** Asks how the rollout stands: now, or as soon as it is another than was told. */
    async ask(hold) {
      const asking = (this.asking = new AbortController());
      const patience = setTimeout(() => asking.abort(), (hold ? HOLD_S * 1_000 : 0) + MARGIN_MS);
      const began = Date.now();
      this.held = hold ? began : 0;
      try {
        const query = hold ? `?wait=${HOLD_S}&known=${this.told.share_basis_points}` : "";
        const options = { cache: "no-store", credentials: "omit", signal: asking.signal };
        const answer = await native(this.url + query, options);
        if (!answer.ok) throw new Error(`the console answers ${answer.status}`);
        const told = await answer.json();
        BigInt(`0x${told.seed}`);
        if (this.asking !== asking) return;
        Object.assign(this, { told, heard: Date.now(), failed: 0 });
      } catch {
        if (this.asking !== asking) return;
        // What was told was so while the question was held; the next one may not even have arrived.
        if (hold && this.failed === 0 && isWithin(began, HOLD_S * 1_000)) this.heard = Date.now();
        this.failed += 1;
        const delay = Math.min(1_000 * 1.5 ** (this.failed - 1), 30_000);
        this.retryAt = Date.now() + delay * (0.8 + 0.4 * Math.random());
      } finally {
        clearTimeout(patience);
        if (this.held === began) this.held = 0;
      }
    }

    /** One question for all who want to know now. */
    refresh() {
      this.refreshing = this.refreshing ?? this.ask(false).then(() => (this.refreshing = null));
      return this.refreshing;
    }

    /** Keeps asking while the page is seen: never from two tabs that nobody looks at. */
    async follow() {
      const following = (this.following = {});
      while (this.following === following) {
        await (this.isFresh ? this.ask(true) : this.refresh());
        // All pages are told of a change at once; they must not all ask again at once.
        const pause = this.failed ? this.retryAt - Date.now() : (this.told?.poll_after_ms || 300) * Math.random();
        await new Promise((over) => (this.pause = setTimeout(over, pause)));
      }
    }

    leave() {
      const asking = this.asking;
      this.following = this.asking = null;
      clearTimeout(this.pause);
      asking?.abort();
    }

    /** Whether failures keep a call from the candidate. Nothing is tried out with one that cannot be made again. */
    isShut(repeatable) {
      return this.failures >= FAILURES && (Date.now() < this.openUntil || this.probing || !repeatable);
    }

    count(side, outcome, ms) {
      if (side === "candidate") {
        this.failures = outcome === "answered" ? 0 : this.failures + 1;
        if (this.failures >= FAILURES) this.openUntil = Date.now() + OPEN_MS;
      }
      const calls = this.counts[side];
      if (thrown || counted(calls) >= MOST) return;
      calls[outcome] += 1;
      calls.latency[[...BOUNDS_MS, Infinity].findIndex((bound) => ms <= bound)] += 1;
      calls.sum_ms += Math.min(Math.round(ms), 600_000);
      this.due = this.due ?? setTimeout(() => this.report(), this.told?.report_every_ms ?? 30_000);
    }

    /** Tells what was counted, also while the page goes away: as plain text, so that nothing is asked before. */
    report() {
      clearTimeout(this.due);
      this.due = undefined;
      if (counted(this.counts.legacy) + counted(this.counts.candidate) === 0) return;
      const [url, body] = [`${this.url}/report`, JSON.stringify(this.counts)];
      this.forget();
      if (!("keepalive" in Request.prototype)) navigator.sendBeacon?.(url, body);
      else native(url, { method: "POST", body, keepalive: true, credentials: "omit" }).catch(() => {});
    }
  }

  const rollouts = new Map();
  function rollout(name) {
    if (!rollouts.has(name)) {
      rollouts.set(name, new Rollout(name));
      if (!thrown && isVisible()) rollouts.get(name).follow();
    }
    return rollouts.get(name);
  }

  /** The candidate's address for one of legacy's. */
  function mapped(input, legacy, candidate) {
    const url = new URL(input.url ?? input, document.baseURI).href;
    const from = absolute(legacy);
    const rest = url.startsWith(from) ? url.slice(from.length) : "none";
    return /^($|[/?#])/.test(rest) ? absolute(candidate) + rest : undefined;
  }

  /** What a call says, for another address than its own. */
  async function said(input, init) {
    if (!(input instanceof Request)) return { ...init };
    const request = new Request(input.clone(), init);
    const words = { body: await request.arrayBuffer() };
    if (words.body.byteLength === 0) delete words.body;
    const parts = "method headers mode credentials cache redirect referrer referrerPolicy integrity keepalive";
    for (const part of parts.split(" ")) words[part] = request[part];
    return words;
  }

  /** One signal of two, which holds while the body comes too. */
  function either(stop, caller) {
    if (!caller) return stop.signal;
    if (AbortSignal.any) return AbortSignal.any([stop.signal, caller]);
    caller.addEventListener("abort", () => stop.abort(caller.reason), { once: true });
    return stop.signal;
  }

  /**
   * As `fetch`. Options, the first five also as `data-` of the script for all calls: `rollout`; `legacy` and
   * `candidate`, addresses or what they begin with; `timeout` at the candidate, ms, of calls that can be made again;
   * `wait` for the console's first word, ms; `retry`, whether the call can be made again (by its method, if not given);
   * `fails(response)`, whether an answer is a failure (500 or more, if not given).
   */
  async function call(input, init, options = {}) {
    const name = options.rollout ?? set.rollout;
    const [from, target] = [options.legacy ?? set.legacy, options.candidate ?? set.candidate];
    const to = name && from !== undefined && target !== undefined && mapped(input, from, target);
    if (!to) return native(input, init);
    const rolled = rollout(name);
    const fails = options.fails ?? (({ status }) => status >= 500);
    const caller = init?.signal ?? input.signal;
    let stopped; // Why the call to the candidate was.

    /** Asks a side; what came of it, once it has been counted. A caller who leaves is no failure of anybody. */
    const ask = async (side, asked) => {
      const began = performance.now();
      const count = (outcome) => rolled.count(side, outcome, performance.now() - began);
      try {
        const answer = await asked();
        const isFailure = fails(answer);
        count(isFailure ? "bad_status" : "answered");
        return { answer, isFailure };
      } catch (error) {
        if (caller?.aborted) throw error;
        if (stopped !== "disabled" || side === "legacy") count((side === "candidate" && stopped) || "network_error");
        return { error, isFailure: true };
      }
    };
    const given = ({ answer, error }) => {
      if (error) throw error;
      return answer;
    };
    const legacy = async () => given(await ask("legacy", () => native(input, init)));

    const isStream = typeof ReadableStream === "function" && init?.body instanceof ReadableStream;
    const isIdempotent = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/i.test(init?.method ?? input.method ?? "GET");
    const repeatable = !isStream && (options.retry ?? isIdempotent);
    if (!thrown && !rolled.isFresh && Date.now() >= rolled.retryAt) {
      const patience = new Promise((over) => setTimeout(over, Number(options.wait ?? set.wait ?? 300)));
      await Promise.race([rolled.refresh(), patience]);
    }
    if (rolled.side === "legacy" || rolled.isShut(repeatable) || caller?.aborted) return legacy();

    const isProbe = rolled.failures >= FAILURES;
    rolled.probing = rolled.probing || isProbe;
    const stopper = new AbortController();
    const stop = (reason) => {
      stopped = stopped ?? reason;
      stopper.abort(new DOMException("the candidate did not answer in time", "TimeoutError"));
    };
    if (repeatable) rolled.inFlight.add(stop);
    const isTimed = repeatable || options.timeout !== undefined;
    const timeout = Number(options.timeout ?? set.timeout ?? 10_000);
    const timer = isTimed ? setTimeout(stop, timeout, "timeout") : undefined;
    let tried;
    try {
      const words = await said(input, init);
      tried = await ask("candidate", () => native(to, { ...words, signal: either(stopper, caller) }));
    } finally {
      clearTimeout(timer);
      rolled.inFlight.delete(stop);
      if (isProbe) rolled.probing = false;
    }
    if (!tried.isFailure || !repeatable) return given(tried);
    tried.answer?.body?.cancel().catch(() => {});
    const { candidate: seen, fallbacks } = rolled.counts;
    if (fallbacks < seen.bad_status + seen.network_error + seen.timeout) rolled.counts.fallbacks += 1;
    return legacy();
  }

  /** Does what follows from the switch, and from whether the page is seen. */
  function settle() {
    for (const each of rollouts.values()) {
      each.leave();
      if (thrown) each.inFlight.forEach((stop) => stop("disabled"));
      else if (isVisible()) each.follow();
      if (thrown || !isVisible()) each.report();
    }
  }

  function turn(off) {
    const [mode, age] = off ? ["legacy", 31_536_000] : ["", 0];
    attempt(() => (document.cookie = `rad_mode=${mode}; path=/; SameSite=Lax; max-age=${age}`));
    // Last: this is what other tabs hear of.
    attempt(() => (off ? localStorage.setItem(SWITCH, "1") : localStorage.removeItem(SWITCH)));
    thrown = off;
    settle();
  }

  function status() {
    const states = {};
    for (const [name, each] of rollouts) {
      const is_shut = each.failures >= FAILURES;
      const state = each.isFresh ? "connected" : each.failed ? "reconnecting" : "connecting";
      const percent = each.told && each.told.share_basis_points / 100;
      states[name] = { state, percent, side: is_shut ? "legacy" : each.side, is_shut, attempt: each.failed };
    }
    const { state, attempt } = Object.values(states)[0] ?? { state: "connecting", attempt: 0 };
    const all = { state: thrown ? "disabled" : state, attempt, ...before.status?.() };
    return { ...all, mode: thrown ? "legacy" : "live", rollouts: states };
  }

  const disable = () => (before.disable?.(), turn(true));
  const enable = () => (before.enable?.(), turn(false));
  window.RadMonitor = Object.assign(own, { fetch: call, disable, enable, status });

  // What other tabs of this browser decide holds here too; a page that was put away has not heard of it.
  const look = () => {
    thrown = isThrown();
    settle();
  };
  addEventListener("storage", ({ key }) => (key === SWITCH || key === null) && look());
  addEventListener("pageshow", ({ persisted }) => persisted && look());
  addEventListener("pagehide", () => rollouts.forEach((each) => (each.leave(), each.report())));
  document.addEventListener("visibilitychange", settle);
  if (set.rollout) rollout(set.rollout);
})();
