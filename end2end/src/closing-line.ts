import type { FullConfig, Reporter, Suite } from "@playwright/test/reporter";

/** Ends the run with one line that a person and a script can read: `17 passed, 0 failed`. */
export default class ClosingLine implements Reporter {
  private suite: Suite | undefined;

  onBegin(_config: FullConfig, suite: Suite): void {
    this.suite = suite;
  }

  onExit(): Promise<void> {
    const tests = this.suite?.allTests() ?? [];
    const count = (outcome: string) => tests.filter((test) => test.outcome() === outcome).length;
    const skipped = count("skipped");
    console.log(
      `${count("expected")} passed, ${count("unexpected") + count("flaky")} failed` +
        (skipped > 0 ? `, ${skipped} skipped` : ""),
    );
    return Promise.resolve();
  }

  printsToStdio(): boolean {
    return false;
  }
}
