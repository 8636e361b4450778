import { OFREPProvider } from "@openfeature/ofrep-provider";
import { type Client, type EvaluationContext, OpenFeature, StandardResolutionReasons } from "@openfeature/server-sdk";

import type { Gateway } from "../src/gateway";
import { expect, test } from "../src/test";

/** The public OpenFeature client, with the public provider of its protocol. */
async function clientOf(gateway: Gateway): Promise<Client> {
  await OpenFeature.setProviderAndWait(gateway.console, new OFREPProvider({ baseUrl: gateway.console }));
  return OpenFeature.getClient(gateway.console);
}

async function put(gateway: Gateway, key: string, flag: object): Promise<void> {
  await gateway.api("PUT", `/api/flags/${key}`, { flag, reason: "test" });
}

const swiss = { attribute: "country", is: "one_of", values: ["CH", "LI"] };
const recent = { attribute: "app.version", is: "semver_at_least", values: ["2.1.0"] };

/** A flag of each kind, with one rule: for people in Switzerland with a recent version of the application. */
const KINDS = {
  checkout: { off: false, on: true },
  headline: { off: "Welcome", on: "Grüezi" },
  "page-size": { off: 10, on: 12.5 },
  theme: { off: { colours: ["grey"] }, on: { colours: ["red", "white"], contrast: { ratio: 4.5 } } },
};

test.afterEach(() => OpenFeature.clearProviders());

test("flags of every kind are evaluated by the public OpenFeature client, with their reasons", async ({ launch }) => {
  const gateway = await launch("");
  for (const [key, variants] of Object.entries(KINDS)) {
    const rules = [{ if: [swiss, recent], serve: "on" }];
    await put(gateway, key, { variants, off_variant: "off", rules, default: "off" });
  }
  const client = await clientOf(gateway);
  const meant: EvaluationContext = { targetingKey: "ada", country: "CH", app: { version: "2.10.0" } };
  const others: EvaluationContext[] = [
    {},
    { targetingKey: "ada", country: "CH", app: { version: "2.1.0-rc.1" } },
    { targetingKey: "ada", country: "FR", app: { version: "2.10.0" } },
  ];

  expect(await client.getBooleanDetails("checkout", false, meant)).toMatchObject({
    value: true,
    variant: "on",
    reason: StandardResolutionReasons.TARGETING_MATCH,
    flagMetadata: { version: 1, rule: 1 },
  });
  expect(await client.getStringValue("headline", "?", meant)).toBe("Grüezi");
  expect(await client.getNumberValue("page-size", -1, meant)).toBe(12.5);
  expect(await client.getObjectValue("theme", {}, meant)).toEqual(KINDS.theme.on);
  for (const context of others) {
    expect(await client.getBooleanDetails("checkout", true, context)).toMatchObject({
      value: false,
      variant: "off",
      reason: StandardResolutionReasons.DEFAULT,
    });
    expect(await client.getStringValue("headline", "?", context)).toBe("Welcome");
    expect(await client.getNumberValue("page-size", -1, context)).toBe(10);
    expect(await client.getObjectValue("theme", {}, context)).toEqual(KINDS.theme.off);
  }
});

test("a share is sticky, and raising it moves nobody back", async ({ launch }) => {
  const gateway = await launch("");
  await put(gateway, "checkout", { variants: KINDS.checkout, off_variant: "off", default: "on" });
  const client = await clientOf(gateway);
  const users = Array.from({ length: 300 }, (_, index) => `user-${index}`);
  const on = async () => {
    const found = users.map((targetingKey) => client.getBooleanDetails("checkout", false, { targetingKey }));
    const details = await Promise.all(found);
    expect(new Set(details.map(({ reason }) => reason))).toEqual(new Set([StandardResolutionReasons.SPLIT]));
    return users.filter((_, index) => details[index]?.value);
  };
  await gateway.api("POST", "/api/flags/checkout/share", { percent: 20 });
  const before = await on();
  // 60 of 300, and five standard deviations around that.
  expect(before.length).toBeGreaterThan(25);
  expect(before.length).toBeLessThan(95);
  expect(await on()).toEqual(before);
  await gateway.api("POST", "/api/flags/checkout/share", { percent: 60 });
  const after = await on();
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after.length).toBeGreaterThan(before.length + 50);
});

test("a change reaches clients within a second, without a restart", async ({ launch }) => {
  const gateway = await launch("");
  await put(gateway, "checkout", { variants: KINDS.checkout, off_variant: "off", default: "on" });
  const client = await clientOf(gateway);
  expect(await client.getBooleanDetails("checkout", false)).toMatchObject({
    value: true,
    reason: StandardResolutionReasons.STATIC,
  });
  const changed = Date.now();
  await gateway.api("POST", "/api/flags/checkout/toggle", { on: false, reason: "complaints" });
  expect(await client.getBooleanDetails("checkout", true)).toMatchObject({
    value: false,
    variant: "off",
    reason: StandardResolutionReasons.DISABLED,
    flagMetadata: { version: 2 },
  });
  expect(Date.now() - changed).toBeLessThan(1_000);
});

test("what cannot be evaluated leaves clients with their own default and says why", async ({ launch }) => {
  const gateway = await launch("");
  const half = [
    { variant: "on", percent: 50 },
    { variant: "off", percent: 50 },
  ];
  await put(gateway, "split", { variants: KINDS.checkout, off_variant: "off", default: half });
  await put(gateway, "by-org", { variants: KINDS.checkout, off_variant: "off", default: half, bucket_by: "org" });
  const client = await clientOf(gateway);
  const ERROR = StandardResolutionReasons.ERROR;
  expect(await client.getStringDetails("unknown", "mine")).toMatchObject({
    value: "mine",
    reason: ERROR,
    errorCode: "FLAG_NOT_FOUND",
  });
  expect(await client.getNumberDetails("split", 7, { targetingKey: "ada" })).toMatchObject({
    value: 7,
    reason: ERROR,
    errorCode: "TYPE_MISMATCH",
  });
  expect(await client.getBooleanDetails("split", true)).toMatchObject({
    value: true,
    reason: ERROR,
    errorCode: "TARGETING_KEY_MISSING",
  });
  expect(await client.getBooleanDetails("by-org", true, { targetingKey: "ada" })).toMatchObject({
    value: true,
    reason: ERROR,
    errorCode: "INVALID_CONTEXT",
  });
});
